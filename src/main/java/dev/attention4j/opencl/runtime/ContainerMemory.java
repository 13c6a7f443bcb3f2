package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * How much memory the container allows in which this process runs, on Linux: its cgroup's limit. Drivers report the
 * machine's memory instead, and a process that takes more than its cgroup allows is killed.
 *
 * <p>Read here, because {@code OperatingSystemMXBean.getTotalMemorySize()}, which knows it too, takes a tenth of a
 * second when it is first asked and does not look at the cgroups around the process's own.
 */
final class ContainerMemory {
    private static final String VERSION_2 = "0::";
    private static final String VERSION_1 = ":memory:";

    /** What the JVM, a driver and its compiler take beside the heap. */
    private static final long NATIVE_BYTES = 256L << 20;

    private ContainerMemory() {}

    /** The lowest limit of this process's cgroup and those around it; empty where there is none. */
    static OptionalLong limit() {
        return limit(Path.of("/proc/self/cgroup"), Path.of("/sys/fs/cgroup"));
    }

    static OptionalLong limit(Path membership, Path root) {
        long limit = Long.MAX_VALUE;
        try {
            for (String line : Files.readAllLines(membership)) {
                int memory = line.indexOf(VERSION_1);
                if (line.startsWith(VERSION_2)) {
                    limit = Math.min(limit, lowest(root, line.substring(VERSION_2.length()), "memory.max"));
                } else if (memory > 0) {
                    String path = line.substring(memory + VERSION_1.length());
                    limit = Math.min(limit, lowest(root.resolve("memory"), path, "memory.limit_in_bytes"));
                }
            }
        } catch (IOException | RuntimeException e) {
            // No cgroups here, or none that can be read.
            return OptionalLong.empty();
        }
        return limit == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(limit);
    }

    /** From the root, which in a container is its own cgroup whatever the path says, down to the path. */
    private static long lowest(Path root, String path, String file) {
        long lowest = read(root.resolve(file));
        Path directory = root;
        for (Path part : Path.of("/").relativize(Path.of("/" + path).normalize())) {
            directory = directory.resolve(part);
            lowest = Math.min(lowest, read(directory.resolve(file)));
        }
        return lowest;
    }

    private static long read(Path file) {
        try {
            String text = Files.readString(file).strip();
            // "max", or a number near 2^63 for none.
            return text.matches("\\d{1,18}") ? Long.parseLong(text) : Long.MAX_VALUE;
        } catch (IOException e) {
            return Long.MAX_VALUE;
        }
    }

    /**
     * What device buffers may take of a container's memory: what the Java heap at its largest and native code leave, for
     * all of it is counted together, and an eighth at least.
     *
     * @param limit of the container
     * @param largestHeap of this JVM
     */
    static long forBuffers(long limit, long largestHeap) {
        return Math.max(limit / 8, limit - Math.min(limit, largestHeap) - NATIVE_BYTES);
    }
}
