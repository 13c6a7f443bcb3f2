package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.testing.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Threads are pinned only where PoCL can have every core that it will ask for. */
class PoclThreadsTest {
    @TempDir
    private Path folder;

    private boolean mayPin(String allowed, String online) throws IOException {
        Path status = Files.writeString(
                folder.resolve("status"),
                "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + allowed + "\nMems_allowed_list:\t0\n");
        return Pocl.mayPin(Map.of(), status, Files.writeString(folder.resolve("online"), online + "\n"));
    }

    @Test
    void coresThatAreNotOursAreSeen() throws IOException {
        assertThat(mayPin("0-7", "0-7")).isTrue();
        assertThat(mayPin("0", "0")).isTrue();
        assertThat(mayPin("4-7", "0-7")).isFalse();
        assertThat(mayPin("0-3", "0-7")).isFalse();
        assertThat(mayPin("0-7", "0-3,5-8")).isFalse();
        // PoCL would ask for core 4.
        assertThat(mayPin("0-3,5-8", "0-3,5-8")).isFalse();
    }

    @Test
    void whatTheUserHasSetStays() throws IOException {
        Path status = Files.writeString(folder.resolve("status"), "Cpus_allowed_list:\t0-7\n");
        Path online = Files.writeString(folder.resolve("online"), "0-7\n");
        assertThat(Pocl.mayPin(Map.of("PATH", "/bin"), status, online)).isTrue();
        assertThat(Pocl.mayPin(Map.of("POCL_AFFINITY", "0"), status, online)).isFalse();
        assertThat(Pocl.mayPin(Map.of("POCL_MAX_PTHREAD_COUNT", "16"), status, online))
                .isFalse();
    }

    @Test
    void whereThatCannotBeReadThreadsAreLeftAlone() {
        assertThat(Pocl.mayPin(Map.of(), folder.resolve("none"), folder.resolve("none")))
                .isFalse();
    }

    /** PoCL's threads; and what the program and its children see of the variable. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void eachThreadGetsACoreAndNobodyElseSeesHow() throws Exception {
        assumeTrue(
                Pocl.mayPin(System.getenv(), Path.of("/proc/self/status"), Path.of("/sys/devices/system/cpu/online")));
        String printed = new ChildJvm(Lists.class)
                .options("-Xmx256m", "-Dattention4j.cache.dir=" + folder.resolve("cache"))
                .environment("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd")
                .run(folder);
        int cores = Runtime.getRuntime().availableProcessors();
        assertThat(printed.lines().toList())
                .containsExactly("pinned before: 0", "pinned: " + cores, "in Java: null", "in a child: ");
    }

    /** Looks for devices. */
    static final class Lists {
        private Lists() {}

        public static void main(String[] args) throws Exception {
            System.out.println("pinned before: " + Pocl.pinnedSince(Set.of()));
            Devices.find();
            System.out.println("pinned: " + Pocl.pinnedSince(Set.of()));
            System.out.println("in Java: " + System.getenv("POCL_AFFINITY"));
            Process child = new ProcessBuilder("sh", "-c", "echo $POCL_AFFINITY").start();
            System.out.println("in a child: " + child.inputReader().readLine());
        }
    }
}
