package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.SharedCases;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SharedFilesTest {
    @Test
    void everySharedFileIsReadAndWrittenBackUnchanged(@org.junit.jupiter.api.io.TempDir Path folder)
            throws IOException {
        for (Path path : SharedCases.find()) {
            SafetensorsFile file = Safetensors.read(path);
            assertThat(file.metadata()).as(path.toString()).containsKeys("op", "name");
            Path copy = folder.resolve("copy.safetensors");
            Safetensors.write(copy, file.tensors(), file.metadata());
            SafetensorsFile again = Safetensors.read(copy);
            assertThat(again.metadata()).isEqualTo(file.metadata());
            assertThat(again.tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(file.tensors().keySet());
            for (String name : file.tensors().keySet()) {
                assertThat(again.tensor(name).bytes())
                        .isEqualTo(file.tensor(name).bytes());
            }
        }
    }
}
