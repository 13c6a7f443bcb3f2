package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.testing.MemoryBound;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/**
 * Any bytes are read as a file of Keras, HDF5 or a zip of it, or refused by an error that says why, in memory in
 * proportion to their number. The inputs stored next to this class are run each time; {@code mvn -Pfuzz test} makes more.
 */
class KerasFileFuzzTest {
    @TempDir
    Path folder;

    @FuzzTest(maxDuration = "10m")
    void isReadOrRefused(byte[] bytes) throws IOException {
        Path path = Files.write(folder.resolve("input.keras"), bytes);
        MemoryBound.reads(bytes.length, () -> {
            for (Tensor tensor : KerasFile.read(path).tensors().values()) {
                assertThat(tensor.dtype()).isEqualTo(DType.FLOAT32);
            }
        });
    }
}
