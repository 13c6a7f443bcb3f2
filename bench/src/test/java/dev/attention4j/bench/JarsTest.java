package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Tensor;
import dev.attention4j.measure.Timing;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The jars of the library: one for programs, one with what measures and checks it, and the command line with both. */
class JarsTest {
    private static final String TOOL = "dev/attention4j/(cli|conformance|measure|tuner)/.*";

    private static Set<String> files(Path jar) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            return file.stream()
                    .filter(entry -> !entry.isDirectory())
                    .map(JarEntry::getName)
                    .filter(name -> name.matches("(dev/attention4j/|META-INF/services/dev\\.attention4j).*"))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static Path jarOf(Class<?> type) throws URISyntaxException {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    }

    @Test
    void libraryAndToolsShareNothing() throws Exception {
        Set<String> library = files(jarOf(Tensor.class));
        Set<String> tools = files(jarOf(Timing.class));
        assertThat(library)
                .noneMatch(name -> name.matches(TOOL))
                .contains(
                        "dev/attention4j/Tensor.class",
                        "dev/attention4j/layers/MultiHeadAttention.class",
                        "dev/attention4j/onnx/OnnxAttention.class",
                        "dev/attention4j/io/Safetensors.class",
                        "dev/attention4j/kernels/fused/forward_tiles.cl")
                .anyMatch(name -> name.matches("META-INF/services/dev\\.attention4j\\..*EngineProvider"));
        assertThat(tools)
                .allMatch(name -> name.matches(TOOL))
                .contains(
                        "dev/attention4j/cli/Main.class",
                        "dev/attention4j/tuner/Tuner.class",
                        "dev/attention4j/conformance/minilm_layer0.safetensors",
                        "dev/attention4j/conformance/suite/report.html");
    }

    @Test
    void theCommandLineHoldsBoth() throws Exception {
        Set<String> commandLine = files(Path.of("..", "target", "attention4j-cli.jar"));
        assertThat(commandLine).containsAll(files(jarOf(Tensor.class))).containsAll(files(jarOf(Timing.class)));
    }
}
