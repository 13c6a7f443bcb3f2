package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * The memory limit of the container that this process runs in, on Linux: that of its cgroup. Drivers report the machine's
 * memory instead, and a process that takes more than its cgroup allows is killed.
 *
 * <p>{@code OperatingSystemMXBean.getTotalMemorySize()} is not used: its first call takes a tenth of a second, and it ignores
 * the limits of the enclosing cgroups.
 */
public final class ContainerMemory {
    private static final String VERSION_2 = "0::";
    private static final String VERSION_1 = ":memory:";

    /** Memory that the JVM, a driver and its compiler take in addition to the heap. */
    private static final long NATIVE_BYTES = 256L << 20;

    private ContainerMemory() {}

    /** Returns the lowest limit of this process's cgroup and of those that enclose it; empty where there is none. */
    public static OptionalLong limit() {
        return limit(Path.of("/proc/self/cgroup"), Path.of("/sys/fs/cgroup"));
    }

    public static OptionalLong limit(Path membership, Path root) {
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

    /** Reads from the root, which in a container is its own cgroup whatever the path says, down to the path. */
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
     * Returns the part of a container's memory that device buffers may take: the rest after the Java heap at its largest and
     * native code, since the limit counts all of them, and an eighth at least.
     */
    public static long forBuffers(long limit, long largestHeap) {
        return Math.max(limit / 8, limit - Math.min(limit, largestHeap) - NATIVE_BYTES);
    }
}
