package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.opencl.machine.NativeLibrary;
import dev.attention4j.opencl.machine.SignalHandlers;
import dev.attention4j.opencl.machine.UserDirectory;
import dev.attention4j.testing.ChildJvm;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.jocl.cl_platform_id;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The native libraries, as programs of other kinds than a test meet them: each in a JVM of its own. */
@EnabledOnOs(OS.LINUX)
class HostProgramTest {
    @TempDir
    private Path directory;

    private ChildJvm child(Class<?> program, String... options) {
        return new ChildJvm(program)
                .options("-Xmx256m", "-Dattention4j.cache.dir=" + directory.resolve("cache"))
                .options(options)
                .environment("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd")
                .environment("LD_PRELOAD", "");
    }

    private static String classPath() {
        return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    }

    /** As two applications of a web container do, or one before and after a restart. */
    @Test
    void eachClassLoaderHasItsEngine() throws Exception {
        assertThat(child(TwoLoaders.class).run(directory, classPath()).lines())
                .containsExactly("opencl:0", "opencl:0", "java.lang.ArithmeticException: / by zero");
        try (Stream<Path> files = Files.list(directory.resolve("cache/native"))) {
            assertThat(files).as("no copy is left").hasSize(1);
        }
    }

    /** Opens an engine in each of two class loaders. */
    static final class TwoLoaders {
        private static int zero;

        private TwoLoaders() {}

        public static void main(String[] args) throws Exception {
            List<URL> urls = new ArrayList<>();
            for (String entry : args[0].split(File.pathSeparator, -1)) {
                urls.add(Path.of(entry).toUri().toURL());
            }
            for (int n = 0; n < 2; n++) {
                ClassLoader loader = new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
                Class<?> type = loader.loadClass(AttentionEngine.class.getName());
                AutoCloseable engine =
                        (AutoCloseable) type.getMethod("open", String.class).invoke(null, "opencl:0");
                Object info = type.getMethod("info").invoke(engine);
                System.out.println(info.getClass().getMethod("id").invoke(info));
                engine.close();
            }
            try {
                System.out.println(7 / zero);
            } catch (ArithmeticException e) {
                System.out.println(e);
            }
        }
    }

    @Test
    void noSystemPropertyOfJavasChangesMeanwhile() throws Exception {
        assertThat(child(Watched.class).run(directory)).isEqualToIgnoringNewLines("opencl:0, changed: false");
    }

    /** Opens an engine while another thread looks where temporary files go. */
    static final class Watched {
        private static volatile boolean changed;
        private static volatile boolean done;

        private Watched() {}

        public static void main(String[] args) throws InterruptedException {
            String before = System.getProperty("java.io.tmpdir");
            Thread other = new Thread(() -> {
                while (!done) {
                    changed |= !before.equals(System.getProperty("java.io.tmpdir"));
                }
            });
            other.start();
            String engine;
            try (AttentionEngine opened = AttentionEngine.open("opencl:0")) {
                engine = opened.info().id();
            }
            done = true;
            other.join();
            System.out.println(engine + ", changed: " + changed);
        }
    }

    /** It would be the first that JOCL looks for, and nobody has checked it. */
    @Test
    void aLibraryInTheJvmsPathIsNotTaken() throws Exception {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        for (String name : List.of("libJOCL_2_0_6-linux-x86_64.so", "libJOCL_2_0_6-linux-arm64.so")) {
            try (InputStream library = cl_platform_id.class.getResourceAsStream("/lib/" + name)) {
                Files.copy(library, elsewhere.resolve(name));
            }
        }
        assertThat(child(Loaded.class, "-Djava.library.path=" + elsewhere).run(directory))
                .contains("native library loaded from " + directory.resolve("cache/native"))
                .contains("[" + directory.resolve("cache/native/libJOCL_2_0_6"))
                .doesNotContain(elsewhere.toString());
    }

    /** Prints what is said to be loaded, and what is. */
    static final class Loaded {
        private Loaded() {}

        public static void main(String[] args) {
            System.out.println(NativeLibrary.load().found() + " " + SignalHandlers.loaded("libJOCL"));
        }
    }

    @Test
    void aFailedUnpackingIsTriedAgain() throws Exception {
        Path disk = Files.writeString(directory.resolve("disk"), "a file where a directory should be");
        assertThat(new ChildJvm(Twice.class)
                        .options("-Dattention4j.cache.dir=" + disk.resolve("cache"), "-Djava.io.tmpdir=" + disk)
                        .run(directory, disk.toString()))
                .isEqualToIgnoringNewLines("NOT_UNPACKED, then READY");
    }

    /** Loads the library when it cannot be unpacked, and again when it can. */
    static final class Twice {
        private Twice() {}

        public static void main(String[] args) throws IOException {
            NativeLibrary.Status first = NativeLibrary.load().status();
            Files.delete(Path.of(args[0]));
            System.out.println(first + ", then " + NativeLibrary.load().status());
        }
    }

    /** As a container's user without an entry in its list of users has it. */
    @Test
    void onlyAbsoluteFoldersAreCaches() throws Exception {
        String home = directory.resolve("home").toString();
        assertThat(new ChildJvm(Caches.class)
                        .options("-Duser.home=?", "-Djava.io.tmpdir=" + directory, "-Duser.name=?")
                        .environment("XDG_CACHE_HOME", "relative")
                        .environment("HOME", home)
                        .run(directory)
                        .lines())
                .containsExactly(
                        home + "/.cache/attention4j", directory + "/attention4j-_", home + "/.cache/attention4j");
    }

    /** Prints the candidates, then the one that is taken. */
    static final class Caches {
        private Caches() {}

        public static void main(String[] args) {
            UserDirectory.caches().forEach(System.out::println);
            System.out.println(UserDirectory.cache());
        }
    }

    @Test
    void underTheJvmsChecksOfNativeCodeDevicesAreAsTheyAre() throws Exception {
        List<String> unchecked = child(Facts.class).run(directory).lines().toList();
        List<String> checked =
                child(Facts.class, "-Xcheck:jni").run(directory).lines().toList();
        assertThat(unchecked).hasSize(1).first().asString().doesNotContain(" 0 ");
        assertThat(checked).containsAll(unchecked).noneMatch(line -> line.contains("org.jocl"));
    }

    /** Prints what drivers say of devices. */
    static final class Facts {
        private Facts() {}

        public static void main(String[] args) {
            for (ClDevice device : Devices.find().devices()) {
                try (DeviceContext context = DeviceContext.open(device, null)) {
                    ClKernel kernel = context.kernel(
                            "probe/device_probe.cl",
                            "device_probe",
                            Map.of("PROBE", 0, "GROUP_ITEMS", 16, "LOCAL_BYTES", 1024));
                    System.out.println(device + " " + device.globalMemoryBytes() + " " + device.computeUnits() + " "
                            + device.maxWorkGroupSize() + " " + kernel.largestGroup() + " " + device.extensions());
                }
            }
        }
    }

    /** With the two flags of docs/running.md: {@code requires} and {@code --add-modules}. */
    @Test
    void aModularProgramRuns() throws Exception {
        Path jars = Files.createDirectory(directory.resolve("jars"));
        for (String entry : classPath().split(File.pathSeparator, -1)) {
            Path file = Path.of(entry);
            if (file.getFileName()
                    .toString()
                    .matches("(jocl|jna|slf4j-api|jackson-core|jackson-jr-objects)-\\d.*\\.jar")) {
                Files.copy(file, jars.resolve(file.getFileName()));
            }
        }
        Path classes = Path.of(AttentionEngine.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        jar(classes, jars.resolve("attention4j.jar"));
        Path source = Files.createDirectories(directory.resolve("source/app"));
        Files.writeString(directory.resolve("source/module-info.java"), "module app { requires dev.attention4j; }");
        Files.writeString(
                source.resolve("Main.java"),
                """
                package app;

                import dev.attention4j.*;

                public class Main {
                    public static void main(String[] args) {
                        try (AttentionEngine engine = AttentionEngine.open("opencl:0")) {
                            Tensor t = Tensor.random(1, 1, 1, 4, 8);
                            engine.attend(t, t, t).close();
                            System.out.println(engine.info().id() + " in " + Tensor.class.getModule());
                        }
                        System.out.println(Engines.absences());
                    }
                }
                """);
        Path compiled = directory.resolve("compiled");
        assertThat(ToolProvider.getSystemJavaCompiler()
                        .run(
                                null,
                                null,
                                null,
                                "-p",
                                jars.toString(),
                                "-d",
                                compiled.toString(),
                                directory.resolve("source/module-info.java").toString(),
                                source.resolve("Main.java").toString()))
                .isZero();
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dattention4j.cache.dir=" + directory.resolve("cache"),
                "-p",
                jars + File.pathSeparator + compiled,
                "--add-modules",
                "ALL-MODULE-PATH",
                "-m",
                "app/app.Main");
        builder.environment().put("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd");
        Process process = builder.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        assertThat(said.lines()).contains("opencl:0 in module dev.attention4j", "[]");
    }

    private static void jar(Path classes, Path jar) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Automatic-Module-Name", "dev.attention4j");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest);
                Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = classes.relativize(file).toString();
                if (!name.equals("META-INF/MANIFEST.MF")) {
                    out.putNextEntry(new JarEntry(name));
                    Files.copy(file, out);
                }
            }
        }
    }
}
