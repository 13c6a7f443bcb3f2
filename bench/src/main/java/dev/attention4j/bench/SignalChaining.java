package dev.attention4j.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Keeps the JVM's signal handlers in force beside an OpenCL compiler in the same process, on Linux.
 *
 * <p>HotSpot lives on faults: null checks and safepoints are reads that may fault, integer division by zero is SIGFPE,
 * and its handlers make of them what Java says. LLVM, which PoCL compiles with, puts its own handlers in their place at
 * each compilation, until the next fault. Then it deletes the temporary files of the compilation that is running, which fails, and for
 * some microseconds there is no handler at all: a second thread that faults meanwhile, as threads do that come to a
 * safepoint together, ends the process by a segmentation fault, without a report. PoCL's own handler skips a division by zero.
 *
 * <p>The JDK's libjsig chains such handlers behind the JVM's, but only if it is loaded before the C library, that is by
 * {@code LD_PRELOAD}, which must be set before a JVM starts. So the program is started once more.
 */
final class SignalChaining {
    private static final String PRELOAD = "LD_PRELOAD";
    private static final String LIBRARY = "libjsig.so";
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");
    private static final int SECONDS_TO_STOP = 10;

    private SignalChaining() {}

    /**
     * Runs this program, as it was started, in a JVM with libjsig, and waits for it.
     *
     * @return its exit code; empty if this JVM is to do the work: it has libjsig, or there is none for it
     */
    static OptionalInt runAgain() {
        String given = System.getenv().getOrDefault(PRELOAD, "");
        Path library = Path.of(System.getProperty("java.home"), "lib", LIBRARY);
        // The dynamic linker takes spaces and colons for separators.
        if (given.contains(LIBRARY)
                || !Files.isReadable(library)
                || !Files.isReadable(COMMAND_LINE)
                || library.toString().matches(".*[ :].*")) {
            return OptionalInt.empty();
        }
        try {
            ProcessBuilder builder = new ProcessBuilder(commandLine()).inheritIO();
            builder.environment().put(PRELOAD, given.isEmpty() ? library.toString() : library + ":" + given);
            Process process = builder.start();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(process)));
            return OptionalInt.of(process.waitFor());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    /** Whoever stops this JVM means the other. */
    private static void stop(Process process) {
        process.destroy();
        try {
            if (!process.waitFor(SECONDS_TO_STOP, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
        }
    }

    /** The JVM's options are on it, too. {@link ProcessHandle} knows no more than the first 4 KiB. */
    private static List<String> commandLine() throws IOException {
        String words = new String(Files.readAllBytes(COMMAND_LINE), Charset.defaultCharset());
        List<String> command = new ArrayList<>(List.of(words.split("\0", -1)));
        command.remove(command.size() - 1); // Each word ends with a zero.
        command.set(0, Path.of(System.getProperty("java.home"), "bin", "java").toString());
        return command;
    }
}
