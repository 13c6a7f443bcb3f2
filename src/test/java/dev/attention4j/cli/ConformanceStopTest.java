package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code conformance} that is stopped or killed: what it found is reported, and nothing of it goes on or stays. */
class ConformanceStopTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    private Path folder;

    private Path temporary;
    private Path json;
    private Path junit;
    private Path html;
    private Process process;

    @BeforeEach
    void start() throws IOException {
        temporary = Files.createDirectory(folder.resolve("tmp"));
        json = folder.resolve("report.json");
        junit = folder.resolve("report.xml");
        html = folder.resolve("report.html");
        process = conformance("--json", json, "--junit", junit, "--html", html);
        // After ten seconds it says how many cases are done, the child's first among them; minutes of them are before
        // it.
        await(() -> printed().contains("conformance: "));
    }

    private String printed() {
        try {
            return Files.readString(folder.resolve("out"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Process conformance(Object... options) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.io.tmpdir=" + temporary,
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "conformance",
                "--device",
                "cpu"));
        for (Object option : options) {
            words.add(option.toString());
        }
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("out").toFile());
        // No OpenCL driver: it starts at once.
        builder.environment().put("OCL_ICD_VENDORS", temporary.toString());
        return builder.start();
    }

    private Stream<ProcessHandle> children() {
        return process.toHandle().descendants();
    }

    @AfterEach
    void end() {
        children().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    @Test
    void whatWasFoundBeforeASignalIsReported() throws IOException {
        List<ProcessHandle> children = children().toList();
        // As Ctrl-C does, which a terminal sends to all: the child hears of it first.
        children.forEach(ProcessHandle::destroy);
        process.destroy();
        await(() -> !process.isAlive());

        assertThat(process.exitValue()).isEqualTo(128 + 15);
        assertThat(printed().stripTrailing()).matches("(?s).*[1-9]\\d* passed, 0 failed, stopped before the end");
        Map<String, Object> found = JSON.std.mapFrom(Files.readString(json));
        assertThat(found).containsEntry("stopped", true).containsEntry("failed", 0);
        assertThat((List<?>) found.get("outcomes")).hasSize((int) found.get("passed"));
        assertThat(junit).content().contains(", stopped before its end", "errors=\"0\"");
        assertThat(html).content().contains(", stopped before its end");
        assertThat(children).noneMatch(ProcessHandle::isAlive);
        assertThat(left()).isEmpty();
    }

    @Test
    void aKilledRunLeavesNoJvmAndTheNextRunItsFolders() throws IOException {
        List<ProcessHandle> children = children().toList();
        process.destroyForcibly();

        await(() -> children.stream().noneMatch(ProcessHandle::isAlive));
        List<Path> left = left();
        assertThat(left).hasSize(1);
        Path inUse = Files.createDirectory(temporary.resolve("attention4j-suite-1-young"));
        Files.createFile(inUse.resolve("lock"));
        Files.setLastModifiedTime(left.get(0), FileTime.from(Instant.now().minusSeconds(90)));

        process = conformance("--case", "scale/zero");
        await(() -> !process.isAlive());

        assertThat(process.exitValue()).isZero();
        assertThat(left()).containsExactly(inUse);
    }

    private List<Path> left() throws IOException {
        try (Stream<Path> files = Files.list(temporary)) {
            return files.filter(file -> file.getFileName().toString().startsWith("attention4j"))
                    .toList();
        }
    }

    private static void await(BooleanSupplier condition) {
        Instant end = Instant.now().plus(LIMIT);
        while (!condition.getAsBoolean()) {
            assertThat(Instant.now()).as("waited " + LIMIT).isBefore(end);
            try {
                TimeUnit.MILLISECONDS.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }
    }
}
