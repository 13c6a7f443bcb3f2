package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.testing.DocumentLinks;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Java in the README and in docs/ compiles, and runs where it needs nothing but the library. */
class ReadmeSnippetsTest {
    private static final Pattern SNIPPET = Pattern.compile("(?ms)^```java\\R(.*?)^```");

    @TempDir
    private Path classes;

    private static List<String> snippets(Path document) throws IOException {
        Matcher matcher = SNIPPET.matcher(Files.readString(document));
        return matcher.results().map(found -> found.group(1)).toList();
    }

    /** One that opens its engine runs as it is; another is handed what it uses. */
    private static boolean opensItsEngine(String snippet) {
        return snippet.contains("AttentionEngine.open()");
    }

    @Test
    void everySnippetCompilesAndTheWholeOnesRun() throws Exception {
        List<String> snippets = new ArrayList<>();
        for (Path document : DocumentLinks.documents()) {
            snippets.addAll(snippets(document));
        }
        List<String> decoding = snippets(Path.of("docs", "decoding.md"));
        List<String> expressions = snippets(Path.of("docs", "expressions.md"));
        List<JavaFileObject> sources = new ArrayList<>();
        for (int n = 0; n < snippets.size(); n++) {
            String parameters = opensItsEngine(snippets.get(n))
                    ? ""
                    : "AttentionEngine engine, Tensor query, Tensor key, Tensor value, MultiHeadAttention layer";
            sources.add(new Source("Snippet" + n, program("Snippet" + n, parameters, snippets.get(n))));
        }
        compile(sources);

        int run = 0;
        URL[] urls = {classes.toUri().toURL()};
        try (URLClassLoader loader = new URLClassLoader(urls, getClass().getClassLoader())) {
            for (int n = 0; n < snippets.size(); n++) {
                Class<?> program = loader.loadClass("Snippet" + n);
                if (opensItsEngine(snippets.get(n))) {
                    program.getMethod("run").invoke(null);
                    run++;
                } else if (decoding.contains(snippets.get(n)) || expressions.contains(snippets.get(n))) {
                    decode(program);
                    run++;
                }
            }
        }
        assertThat(run)
                .as("of " + snippets.size() + " snippets")
                .isGreaterThanOrEqualTo(3 + decoding.size() + expressions.size());
        assertThat(snippets).as("of the README and of docs/").hasSizeGreaterThanOrEqualTo(8);
    }

    /** Runs a program that is given 32 heads of a query, and 8 of keys and values. */
    private static void decode(Class<?> program) throws Exception {
        Tensor query = Tensor.random(1, 1, 32, 1, 64);
        Tensor key = Tensor.random(2, 1, 8, 100, 64);
        try (AttentionEngine engine = AttentionEngine.open()) {
            program.getMethod(
                            "run",
                            AttentionEngine.class,
                            Tensor.class,
                            Tensor.class,
                            Tensor.class,
                            MultiHeadAttention.class)
                    .invoke(null, engine, query, key, key, null);
        }
    }

    /** The code around a snippet. */
    private static String program(String name, String parameters, String snippet) {
        return String.join(
                "\n",
                "import dev.attention4j.*;",
                "import dev.attention4j.io.Safetensors;",
                "import dev.attention4j.layers.*;",
                "import dev.attention4j.onnx.*;",
                "import java.nio.FloatBuffer;",
                "import java.nio.file.Path;",
                "import java.util.Arrays;",
                "import java.util.List;",
                "import java.util.Map;",
                "public final class " + name + " {",
                "    static float[] queryFloats = new float[8 * 128 * 64];",
                "    static float[] keyFloats = new float[8 * 128 * 64];",
                "    static float[] valueFloats = new float[8 * 128 * 64];",
                "    static int[] queryEnds = {0, 3, 5};",
                "    static int[] keyEnds = {0, 4, 9};",
                "    static float[] sinkLogits = new float[8];",
                "    static Tensor newKeys = Tensor.random(3, 1, 8, 1, 64);",
                "    static Tensor newValues = Tensor.random(4, 1, 8, 1, 64);",
                "    static Tensor pastKey;",
                "    static Tensor pastValue;",
                "    static Tensor padding = Tensor.of(new boolean[128], 1, 1, 1, 128);",
                "    public static void run(" + parameters + ") throws Exception {",
                snippet,
                "    }",
                "}");
    }

    private void compile(List<JavaFileObject> sources) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertThat(compiler).as("a JDK, not a JRE, runs the tests").isNotNull();
        DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
        List<String> options =
                List.of("-d", classes.toString(), "-classpath", System.getProperty("java.class.path"), "-proc:none");
        boolean compiled = compiler.getTask(null, null, diagnostics, options, null, sources)
                .call();
        String problems = diagnostics.getDiagnostics().stream()
                .filter(problem -> problem.getKind() == Diagnostic.Kind.ERROR)
                .map(problem -> problem + "\n" + problem.getSource())
                .collect(Collectors.joining("\n"));
        assertThat(compiled).as(problems).isTrue();
    }

    private static final class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String name, String text) {
            super(URI.create("string:///" + name + ".java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
