package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.attention4j.Tensor;
import dev.attention4j.testing.MemoryBound;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/**
 * Any bytes are read as safetensors or refused by an error that says why, as a file and as a stream alike, in memory in
 * proportion to their number. The inputs stored next to this class are run each time; {@code mvn -Pfuzz test} makes more.
 */
class SafetensorsFuzzTest {
    @TempDir
    Path folder;

    @FuzzTest(maxDuration = "10m")
    void isReadOrRefused(byte[] bytes) throws IOException {
        Path path = Files.write(folder.resolve("input.safetensors"), bytes);
        List<SafetensorsFile> files = new ArrayList<>();
        boolean fileIsRead = MemoryBound.reads(bytes.length, () -> files.add(Safetensors.read(path)));
        boolean streamIsRead = MemoryBound.reads(
                bytes.length, () -> files.add(Safetensors.read(new ByteArrayInputStream(bytes), "stream")));
        assertThat(streamIsRead).as("the stream is read as the file is").isEqualTo(fileIsRead);
        if (fileIsRead) {
            SafetensorsFile first = files.get(0);
            SafetensorsFile last = files.get(files.size() - 1);
            assertThat(last.metadata()).isEqualTo(first.metadata());
            assertThat(last.tensors().keySet()).isEqualTo(first.tensors().keySet());
            long elementBytes = 0;
            for (String name : first.tensors().keySet()) {
                Tensor tensor = first.tensor(name);
                assertThat(last.tensor(name).bytes()).isEqualTo(tensor.bytes());
                elementBytes += tensor.bytes().capacity();
            }
            assertThat(elementBytes).as("bytes of elements").isLessThan(bytes.length);
        }
    }
}
