package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;

/** Checks that reading a file takes no more memory than a multiple of its size, whatever it claims. */
public final class MemoryBound {
    private static final com.sun.management.ThreadMXBean THREADS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final BufferPoolMXBean DIRECT = ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
            .filter(pool -> pool.getName().equals("direct"))
            .findFirst()
            .orElseThrow();

    /** Bytes for each byte of a file, which can be an empty tensor's whole name, or a field that is parsed to an object. */
    private static final long PER_BYTE = 256;

    private static final long ALWAYS = 4 << 20;

    private MemoryBound() {}

    /** Reads a file, which may be refused. */
    @FunctionalInterface
    public interface Reading {
        /**
         * Reads it.
         *
         * @throws IOException if it is refused
         */
        void read() throws IOException;
    }

    /**
     * Reads a file, which may be refused by a {@link FileFormatException} and by nothing else.
     *
     * @param fileBytes the file's size
     * @param reading reads it; may be done more than once
     * @return whether it was read
     */
    public static boolean reads(long fileBytes, Reading reading) throws IOException {
        long most = ALWAYS + PER_BYTE * fileBytes;
        long taken = Long.MAX_VALUE;
        boolean read = false;
        // Again where it was more: the first time, classes are loaded and, under the fuzzer, rewritten.
        for (int attempt = 0; attempt < 3 && taken > most; attempt++) {
            long before = allocated();
            read = isRead(reading);
            taken = allocated() - before;
        }
        assertThat(taken)
                .as("bytes of heap and direct memory for a file of " + fileBytes)
                .isLessThanOrEqualTo(most);
        return read;
    }

    private static boolean isRead(Reading reading) throws IOException {
        try {
            reading.read();
            return true;
        } catch (FileFormatException e) {
            return false;
        }
    }

    /** Heap that this thread ever allocated, and direct memory that is held now. */
    public static long allocated() {
        return THREADS.getThreadAllocatedBytes(Thread.currentThread().getId()) + DIRECT.getMemoryUsed();
    }
}
