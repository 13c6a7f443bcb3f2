package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the JVM's signal handlers stay in force beside an OpenCL compiler in the same process, on Linux.
 *
 * <p>HotSpot lives on faults: null checks and safepoints are reads that may fault, integer division by zero is SIGFPE,
 * and its handlers make of them what Java says. LLVM, which PoCL compiles with, puts its own handlers in their place at
 * each compilation, until the next fault. Then it deletes the temporary files of the compilation that is running, which
 * fails, and for some microseconds there is no handler at all: a second thread that faults meanwhile, as threads do
 * that come to a safepoint together, ends the process by a segmentation fault, without a report. PoCL's own handler
 * skips a division by zero: 7 / 0 is 7. Rusticl and Oclgrind compile with LLVM too, and leave the handlers alone.
 *
 * <p>The JDK's libjsig chains such handlers behind the JVM's, but only if it is loaded before the C library, that is by
 * {@code LD_PRELOAD}, which must be set before a JVM starts.
 */
public final class SignalHandlers {
    /** The variable by which a Linux process is given a library before all others. */
    public static final String PRELOAD = "LD_PRELOAD";

    private static final Logger LOG = LoggerFactory.getLogger(SignalHandlers.class);
    private static final AtomicBoolean WARNED = new AtomicBoolean();
    private static final String LIBRARY = "libjsig.so";
    private static final Path MAPS = Path.of("/proc/self/maps");

    private SignalHandlers() {}

    /**
     * Whether a driver is registered whose compiler replaces them.
     *
     * @return true if PoCL is
     */
    public static boolean areReplaced() {
        return RegisteredDrivers.find().stream().anyMatch(RegisteredDrivers.Driver::isPocl);
    }

    /**
     * Whether libjsig is in this process.
     *
     * @return false where that cannot be seen
     */
    public static boolean areChained() {
        try {
            return Files.isReadable(MAPS)
                    && new String(Files.readAllBytes(MAPS), StandardCharsets.ISO_8859_1).contains(LIBRARY);
        } catch (IOException e) {
            return false;
        }
    }

    /** Says once in this process what may happen, and what helps: a program that divides by zero would not be told. */
    public static void warnOnce() {
        if (WARNED.compareAndSet(false, true) && Files.isReadable(MAPS) && areReplaced() && !areChained()) {
            LOG.warn(
                    "PoCL, one of the OpenCL drivers here, replaces this JVM's signal handlers: 7 / 0 may be 7 instead of an"
                            + " ArithmeticException, and very rarely the JVM crashes. Start it with {}{}",
                    PRELOAD + "=",
                    preload().orElse("libjsig.so of a JDK without blanks in its path"));
        }
    }

    /**
     * The value of {@code LD_PRELOAD} with which another JVM of this Java chains them.
     *
     * @return what is preloaded already comes last; empty if libjsig is among it, or this Java has none that can be
     *     preloaded
     */
    public static Optional<String> preload() {
        String given = System.getenv().getOrDefault(PRELOAD, "");
        Path library = Path.of(System.getProperty("java.home"), "lib", LIBRARY);
        // The dynamic linker takes spaces and colons for separators.
        if (given.contains(LIBRARY)
                || !Files.isReadable(library)
                || library.toString().matches(".*[ :].*")) {
            return Optional.empty();
        }
        return Optional.of(given.isEmpty() ? library.toString() : library + ":" + given);
    }
}
