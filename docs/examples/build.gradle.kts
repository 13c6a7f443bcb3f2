plugins {
    application
    kotlin("jvm") version "2.2.21" // or java, for a program in Java
}

repositories {
    mavenLocal() // where "mvn install" in a clone of attention4j puts it
    mavenCentral()
}

dependencies {
    implementation("dev.attention4j:attention4j:0.1.0-SNAPSHOT")
    runtimeOnly("org.slf4j:slf4j-simple:2.0.17") // prints the library's warnings
}

kotlin {
    jvmToolchain(17)
}

application {
    mainClass.set("AttentionKt")
    applicationDefaultJvmArgs = listOf("--enable-native-access=ALL-UNNAMED")
}
