package dev.attention4j.conformance.suite;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A child JVM that runs cases on one engine, and a thread that listens to it. */
final class ChildProcess implements AutoCloseable {
    /** From this version on Java knows the option that allows native libraries; from 24 on it warns without it. */
    private static final int NATIVE_ACCESS_VERSION = 22;

    private static final String PROBLEMATIC_FRAME = "# Problematic frame:";

    /** The exit codes of a JVM that was asked to end by SIGHUP, SIGINT (Ctrl-C, which reaches children too) or SIGTERM. */
    private static final Set<Integer> ASKED_TO_END = Set.of(129, 130, 143);

    private final ScratchFolder folder;
    private final Process process;
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();

    ChildProcess(String classPath, Worker.Assignment assignment) throws IOException {
        folder = ScratchFolder.create();
        try {
            process = new ProcessBuilder(command(classPath))
                    .redirectError(log().toFile())
                    .start();
        } catch (IOException e) {
            folder.close();
            throw e;
        }
        String line = JSON.std.asString(assignment) + "\n";
        try {
            process.getOutputStream().write(line.getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
        } catch (IOException e) {
            // It has ended already, which is what is heard of it.
            process.destroyForcibly();
        }
        Thread reader = new Thread(this::listen, "conformance suite's child");
        reader.setDaemon(true);
        reader.start();
    }

    private List<String> command(String classPath) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx" + Runtime.getRuntime().maxMemory());
        command.add("-XX:ErrorFile=" + crashLog());
        command.add("-XX:-CreateCoredumpOnCrash");
        if (Runtime.version().feature() >= NATIVE_ACCESS_VERSION) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        for (Map.Entry<Object, Object> property : System.getProperties().entrySet()) {
            String name = property.getKey().toString();
            if (name.startsWith("attention4j.") || name.startsWith("org.slf4j.simpleLogger.")) {
                command.add("-D" + name + "=" + property.getValue());
            }
        }
        // Kernels are checked as the driver builds them now. Besides, binaries for a cache take PoCL as
        // long again as the build itself.
        command.add("-Dattention4j.programs=off");
        command.add("-cp");
        command.add(classPath);
        command.add(Worker.class.getName());
        return command;
    }

    private Path crashLog() {
        return folder.path().resolve("crash.log");
    }

    private Path log() {
        return folder.path().resolve("log");
    }

    private void listen() {
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Event.parse(line).ifPresent(events::add);
            }
        } catch (IOException e) {
            // The child was ended while it spoke: what it said last counts for nothing.
            process.destroyForcibly();
        }
        events.add(Event.of(Event.Kind.CLOSED));
    }

    /** Waits for the next event; empty if there is none within the limit. */
    Optional<Event> next(Duration limit) {
        try {
            return Optional.ofNullable(events.poll(limit.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a case ran", e);
        }
    }

    /** Returns whether it has ended because a user asked for it, and not by a fault of its own. */
    boolean wasAskedToEnd() {
        try {
            return process.waitFor(10, TimeUnit.SECONDS) && ASKED_TO_END.contains(process.exitValue());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /** Ends it at once. */
    void kill() {
        process.destroyForcibly();
    }

    /** Describes its end, which must be near: the exit code, and the function in which a crash happened. */
    String lastWords() {
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                return "its process closed its output and did not end";
            }
            String words = "its process ended with exit code " + process.exitValue();
            Optional<String> said = frame().or(this::lastLogLine);
            return said.map(text -> words + ": " + text).orElse(words);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a case ran", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Optional<String> frame() throws IOException {
        if (!Files.exists(crashLog())) {
            return Optional.empty();
        }
        List<String> lines = Files.readAllLines(crashLog(), StandardCharsets.ISO_8859_1);
        int at = lines.indexOf(PROBLEMATIC_FRAME);
        return at < 0 || at + 1 >= lines.size()
                ? Optional.empty()
                : Optional.of("crashed in "
                        + lines.get(at + 1).replaceFirst("^#\\s*", "").replaceAll("\\s+", " "));
    }

    private Optional<String> lastLogLine() {
        try (Stream<String> lines = Files.lines(log(), StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> !line.isBlank()).reduce((first, last) -> last);
        } catch (IOException | UncheckedIOException e) {
            return Optional.empty();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        folder.close();
    }
}
