package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.testing.TestEngines;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.w3c.dom.Element;

/** The programs of docs/examples compile and run as they are; the texts beside them say what is true. */
class ExamplesTest {
    private static final Path EXAMPLES = Path.of("docs", "examples");

    @TempDir
    private static Path classes;

    @BeforeAll
    static void compile() throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        List<File> sources;
        try (Stream<Path> files = Files.list(EXAMPLES)) {
            sources = files.filter(file -> file.toString().endsWith(".java"))
                    .map(Path::toFile)
                    .toList();
        }
        assertThat(sources).hasSizeGreaterThanOrEqualTo(3);
        StringWriter problems = new StringWriter();
        List<String> options = List.of(
                "-d",
                classes.toString(),
                "-cp",
                classPath(),
                "-proc:none",
                "-Xlint:all,-serial,-processing",
                "-Werror");
        try (StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null)) {
            boolean compiled = compiler.getTask(
                            problems, manager, null, options, null, manager.getJavaFileObjectsFromFiles(sources))
                    .call();
            assertThat(compiled).as(problems.toString()).isTrue();
        }
    }

    private static String classPath() {
        return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    }

    private static URLClassLoader loader() throws IOException {
        return new URLClassLoader(new URL[] {classes.toUri().toURL()}, ExamplesTest.class.getClassLoader());
    }

    @Test
    void plain() throws Exception {
        try (URLClassLoader loader = loader()) {
            Method main = loader.loadClass("Plain").getMethod("main", String[].class);
            main.invoke(null, (Object) new String[0]);
            main.invoke(null, (Object) new String[] {"cpu"});
        }
    }

    @Test
    void serverGivesManyClientsTheSameAnswer() throws Exception {
        ByteBuffer tokens = ByteBuffer.allocate(5 * 64 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        tokens.asFloatBuffer().put(Tensor.random(7, 5, 64).toFloatArray());
        try (URLClassLoader loader = loader();
                Closeable server = (Closeable)
                        loader.loadClass("Server").getConstructor(int.class).newInstance(0)) {
            int port = (int) server.getClass().getMethod("port").invoke(server);
            HttpClient client = HttpClient.newHttpClient();
            URI address = URI.create("http://localhost:" + port + "/attend");
            List<CompletableFuture<HttpResponse<byte[]>>> answers = new ArrayList<>();
            for (int n = 0; n < 32; n++) {
                answers.add(client.sendAsync(post(address, tokens.array()), HttpResponse.BodyHandlers.ofByteArray()));
            }
            byte[] first = answers.get(0).get(1, TimeUnit.MINUTES).body();
            assertThat(first).hasSize(tokens.capacity());
            for (CompletableFuture<HttpResponse<byte[]>> answer : answers) {
                assertThat(answer.get(1, TimeUnit.MINUTES).statusCode()).isEqualTo(200);
                assertThat(answer.get().body()).isEqualTo(first);
            }
            HttpResponse<String> bad = client.send(post(address, new byte[12]), HttpResponse.BodyHandlers.ofString());
            assertThat(bad.statusCode()).isEqualTo(400);
            assertThat(bad.body()).contains("elements: 3 given");
        }
    }

    private static HttpRequest post(URI address, byte[] body) {
        return HttpRequest.newBuilder(address)
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
    }

    @Test
    void springClosesTheLayerAndThenTheEngine() throws Exception {
        try (URLClassLoader loader = loader()) {
            AttentionEngine engine;
            try (AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext()) {
                context.setClassLoader(loader);
                context.register(loader.loadClass("AttentionConfiguration"));
                context.refresh();
                engine = context.getBean(AttentionEngine.class);
                MultiHeadAttention layer = context.getBean(MultiHeadAttention.class);
                assertThat(layer.call(Tensor.random(1, 1, 5, 64)).shape()).containsExactly(1, 5, 64);
            }
            assertThat(engine.isClosed()).isTrue();
        }
    }

    @Test
    void gradleHasTheCoordinatesOfThePom() throws Exception {
        Element pom = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new File("pom.xml"))
                .getDocumentElement();
        String gradle = Files.readString(EXAMPLES.resolve("build.gradle.kts"));
        assertThat(gradle)
                .contains("\"" + child(pom, "groupId") + ":" + child(pom, "artifactId") + ":" + child(pom, "version")
                        + "\"")
                .contains("slf4j-simple:"
                        + pom.getElementsByTagName("slf4j.version").item(0).getTextContent() + "\"")
                .contains("jvmToolchain("
                        + pom.getElementsByTagName("maven.compiler.release")
                                .item(0)
                                .getTextContent()
                        + ")");
    }

    private static String child(Element parent, String name) {
        for (int n = 0; n < parent.getChildNodes().getLength(); n++) {
            if (parent.getChildNodes().item(n).getNodeName().equals(name)) {
                return parent.getChildNodes().item(n).getTextContent();
            }
        }
        throw new AssertionError("no " + name);
    }

    /** As its lines do: the variable, the argument, and what must lie in the caches then. */
    @Test
    void theImageHasItsCachesFilled() throws Exception {
        String dockerfile = Files.readString(EXAMPLES.resolve("Dockerfile"));
        assertThat(dockerfile).contains("ENV XDG_CACHE_HOME=").contains("Server --warm-up");
        Matcher packages =
                Pattern.compile("install --no-install-recommends ([^&]*)&&").matcher(dockerfile);
        assertThat(packages.find()).isTrue();
        String readme = Files.readString(Path.of("README.md"));
        for (String name : packages.group(1).trim().split(" ", -1)) {
            assertThat(readme).contains(name.replace("-jre-", "-jdk-"));
        }

        Path caches = Files.createDirectory(classes.resolve("cache"));
        Path log = classes.resolve("warm-up.log");
        ProcessBuilder java = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        classes + File.pathSeparator + classPath(),
                        "Server",
                        "--warm-up")
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        java.environment().put("XDG_CACHE_HOME", caches.toString());
        java.environment().remove("POCL_CACHE_DIR");
        Process process = java.start();
        try {
            assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(Files.readString(log)).isZero();
        assertThat(filesIn(caches.resolve("attention4j")))
                .as(Files.readString(log))
                .isPositive();
        boolean isPocl = TestEngines.quickOpenCl().stream()
                .anyMatch(info -> info.facts().toString().contains("Portable Computing Language"));
        assertThat(!isPocl || filesIn(caches.resolve("pocl")) > 0).isTrue();
    }

    private static long filesIn(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(Files::isRegularFile).count();
        }
    }
}
