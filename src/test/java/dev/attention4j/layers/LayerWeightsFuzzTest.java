package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.testing.MemoryBound;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/**
 * Any bytes are a layer's weights, in one of the formats, or are refused by an error that says why: by the reader, or
 * by the layer that they do not fit. The inputs stored next to this class are run each time; {@code mvn -Pfuzz test} makes
 * more.
 */
class LayerWeightsFuzzTest {
    private static final LayerOptions LAYER = new LayerOptions();

    static {
        LAYER.queryHeads = 2;
        LAYER.keyValueHeads = 2;
        LAYER.keyDim = 3;
        LAYER.valueDim = 3;
    }

    @TempDir
    Path folder;

    private interface Reader {
        LayerWeights read(Path path) throws IOException;
    }

    private static final List<Reader> READERS = List.of(
            LayerWeights::safetensors,
            path -> LayerWeights.safetensors(path, "a."),
            path -> LayerWeights.torch(path, "", LAYER.queryHeads),
            path -> LayerWeights.torch(path, "a.", 1),
            path -> LayerWeights.huggingFace(path, "", LAYER.queryHeads, LAYER.keyValueHeads),
            LayerWeights::keras,
            path -> LayerWeights.keras(path, "layers/a"));

    @FuzzTest(maxDuration = "10m")
    void fitALayerOrAreRefused(byte[] bytes) throws IOException {
        Path path = Files.write(folder.resolve("input.weights"), bytes);
        for (Reader reader : READERS) {
            MemoryBound.reads(bytes.length, () -> load(reader.read(path), path));
        }
    }

    private static void load(LayerWeights weights, Path path) throws FileFormatException {
        try {
            LayerOptions.Widths widths = weights.widths(LAYER);
            assertThat(widths.query()).isPositive();
        } catch (IllegalArgumentException e) {
            assertThat(e).hasMessageStartingWith("weights: ").hasMessageContaining(path.toString());
        }
    }
}
