package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Threads are pinned only where PoCL can have every core that it will ask for. */
class PoclThreadsTest {
    @TempDir
    private Path folder;

    private boolean mayUseAllCores(String allowed, String online) throws IOException {
        Path status = Files.writeString(
                folder.resolve("status"),
                "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + allowed + "\nMems_allowed_list:\t0\n");
        return PoclThreads.mayUseAllCores(status, Files.writeString(folder.resolve("online"), online + "\n"));
    }

    @Test
    void coresThatAreNotOursAreSeen() throws IOException {
        assertThat(mayUseAllCores("0-7", "0-7")).isTrue();
        assertThat(mayUseAllCores("0", "0")).isTrue();
        assertThat(mayUseAllCores("4-7", "0-7")).isFalse();
        assertThat(mayUseAllCores("0-3", "0-7")).isFalse();
        assertThat(mayUseAllCores("0-7", "0-3,5-8")).isFalse();
    }

    @Test
    void whereThatCannotBeReadThreadsAreLeftAlone() {
        assertThat(PoclThreads.mayUseAllCores(folder.resolve("none"), folder.resolve("none")))
                .isFalse();
    }
}
