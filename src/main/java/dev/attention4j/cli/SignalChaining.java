package dev.attention4j.cli;

import dev.attention4j.opencl.runtime.PoclThreads;
import dev.attention4j.opencl.runtime.SignalHandlers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Starts a program once more, on Linux, in a JVM that keeps its signal handlers beside PoCL's compiler: with the JDK's
 * libjsig preloaded. Why is told in {@link SignalHandlers}. The other JVM also has PoCL's threads on cores of their own, see
 * {@link PoclThreads}. A {@code main} begins with it:
 *
 * <pre>{@code
 * OptionalInt code = SignalChaining.runAgain();
 * if (code.isPresent()) {
 *     System.exit(code.getAsInt());
 * }
 * }</pre>
 */
public final class SignalChaining {
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");
    private static final int SECONDS_TO_STOP = 10;

    private SignalChaining() {}

    /**
     * Runs this program, as it was started, in a JVM with libjsig, and waits for it.
     *
     * @return its exit code; empty if this JVM is to do the work: no driver that replaces signal handlers is
     *     registered, libjsig is preloaded already, there is none, or a debugger is attached, of which there can be but
     *     one
     */
    public static OptionalInt runAgain() {
        if (!SignalHandlers.areReplaced() || !Files.isReadable(COMMAND_LINE)) {
            return OptionalInt.empty();
        }
        Optional<String> preload = SignalHandlers.preload();
        try {
            List<String> command = commandLine();
            if (preload.isEmpty() || command.stream().anyMatch(word -> word.startsWith("-agentlib:jdwp"))) {
                return OptionalInt.empty();
            }
            ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
            builder.environment().put(SignalHandlers.PRELOAD, preload.get());
            PoclThreads.affinity().ifPresent(value -> builder.environment().put(PoclThreads.AFFINITY, value));
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
