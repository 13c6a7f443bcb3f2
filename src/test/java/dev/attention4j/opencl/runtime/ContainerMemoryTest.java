package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.machine.ContainerMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that takes more memory than its container allows is killed, whatever its driver has promised. */
class ContainerMemoryTest {
    private static final long MEBIBYTE = 1L << 20;

    @TempDir
    Path root;

    private Path membership(String text) throws IOException {
        return Files.writeString(root.resolve("membership"), text);
    }

    private void limit(String file, String bytes) throws IOException {
        Path path = root.resolve("cgroup").resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, bytes + "\n");
    }

    private OptionalLong found(String membership) throws IOException {
        return ContainerMemory.limit(membership(membership), root.resolve("cgroup"));
    }

    @Test
    void theLowestLimitOfAllAroundCounts() throws IOException {
        limit("a/memory.max", "3000000000");
        limit("a/b/memory.max", "max");
        assertThat(found("0::/a/b\n")).hasValue(3_000_000_000L);
        limit("a/b/memory.max", "1610612736");
        assertThat(found("0::/a/b\n")).hasValue(1536 * MEBIBYTE);
        assertThat(found("0::/a\n")).hasValue(3_000_000_000L);
        assertThat(found("0::/\n")).isEmpty();
    }

    /** In a container the root is its own cgroup, and the path may be the machine's. */
    @Test
    void aContainersOwnRootCounts() throws IOException {
        limit("memory.max", "1000000000");
        assertThat(found("0::/\n")).hasValue(1_000_000_000);
        assertThat(found("0::/system.slice/docker-1234.scope\n")).hasValue(1_000_000_000);
        assertThat(found("0::/../../outside\n")).hasValue(1_000_000_000);
    }

    @Test
    void theFirstVersionsFilesAreRead() throws IOException {
        limit("memory/docker/1234/memory.limit_in_bytes", "500000000");
        limit("memory/memory.limit_in_bytes", "9223372036854771712");
        String lines = "5:cpu:/docker/1234\n4:memory:/docker/1234\n0::/\n";
        assertThat(found(lines)).hasValue(500_000_000);
        assertThat(found("4:memory:/\n0::/\n")).isEmpty();
    }

    @Test
    void whereThereAreNoCgroupsThereIsNoLimit() throws IOException {
        assertThat(ContainerMemory.limit(root.resolve("none"), root)).isEmpty();
        assertThat(found("")).isEmpty();
        assertThat(found("nonsense\n::\n0::\0\n")).isEmpty();
    }

    @Test
    void theHeapIsCountedToo() {
        assertThat(ContainerMemory.forBuffers(1536 * MEBIBYTE, 384 * MEBIBYTE)).isEqualTo(896 * MEBIBYTE);
        assertThat(ContainerMemory.forBuffers(1024 * MEBIBYTE, 4096 * MEBIBYTE)).isEqualTo(128 * MEBIBYTE);
    }

    /** As in a container of a gibibyte; heap and buffers together stay below it. */
    @Test
    void aSharedDeviceGivesNoMoreThanItsContainerAllows() {
        long limit = Runtime.getRuntime().maxMemory() + 320 * MEBIBYTE;
        for (ClDevice device : RuntimeTest.devices()) {
            ClDevice contained = device.inContainerOf(limit);
            if (device.type() != ClDevice.Type.CPU && !device.hostUnifiedMemory()) {
                assertThat(contained.usableMemoryBytes()).isEqualTo(device.usableMemoryBytes());
                continue;
            }
            assertThat(contained.globalMemoryBytes()).isLessThanOrEqualTo(limit);
            long usable = contained.usableMemoryBytes();
            assertThat(usable).isEqualTo(Math.min(device.globalMemoryBytes(), Math.max(limit / 8, 64 * MEBIBYTE)));
            List<ClBuffer> taken = new ArrayList<>();
            try (DeviceContext context = DeviceContext.open(contained, root.resolve("programs"))) {
                long part = Math.min(usable, contained.largestAllocationBytes()) / 4;
                assertThatExceptionOfType(DeviceException.class)
                        .isThrownBy(() -> {
                            while (true) {
                                taken.add(context.pool().acquire(part));
                            }
                        })
                        .withMessageContaining(String.valueOf(usable));
                assertThat(taken.size() * part).isLessThanOrEqualTo(usable).isGreaterThan(usable / 2);
                taken.forEach(context.pool()::release);
            }
        }
    }
}
