package dev.attention4j.opencl.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.testing.ChildJvm;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is kept is not lost by what is kept after it. */
class UserTuningTest {
    private static final int WRITERS = 4;
    private static final int ENTRIES = 20;

    @TempDir
    private Path root;

    private Path file;

    @BeforeEach
    void inADirectoryOfItsOwn() {
        file = root.resolve("private").resolve("tuning.json");
    }

    private static TuningEntry entry(String device) {
        return new TuningEntry(
                device,
                "1.0",
                LocalDate.parse("2026-11-02"),
                "auto",
                new ProblemClass(DType.FLOAT32, "33-64", "long", false),
                Variant.parse("tiles:TILE=1"),
                "1.8.8.1024.1024.64",
                1.25,
                1.1);
    }

    @Test
    void whatOthersKeepMeanwhileIsNotLost() throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int writer = 0; writer < WRITERS; writer++) {
            String name = "writer " + writer;
            // A process of its own has an object of its own.
            UserTuning user = UserTuning.of(Tuning.in(file));
            threads.add(new Thread(() -> {
                for (int n = 0; n < ENTRIES; n++) {
                    try {
                        user.put(entry(name + " entry " + n));
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(UserTuning.of(Tuning.in(file)).read()).hasSize(WRITERS * ENTRIES);
    }

    /** An interrupted thread must not write without the lock, over what other processes have added. */
    @Test
    void whatInterruptedProcessesKeepIsNotLost() throws Exception {
        int processes = 3;
        ExecutorService starters = Executors.newFixedThreadPool(processes);
        try {
            List<Future<String>> printed = new ArrayList<>();
            for (int process = 0; process < processes; process++) {
                String name = "process " + process;
                printed.add(starters.submit(() -> new ChildJvm(TuningWriter.class)
                        .options("-XX:TieredStopAtLevel=1", "-Xshare:auto")
                        .run(root, file.toString(), name, "40")));
            }
            for (Future<String> one : printed) {
                assertThat(one.get()).contains("kept");
            }
        } finally {
            starters.shutdownNow();
        }
        assertThat(UserTuning.of(Tuning.in(file)).read()).hasSize(processes * 40);
    }

    /** As held by this library in another class loader of this JVM, and on a thread that is interrupted. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aLockHeldElsewhereIsWaitedFor(boolean interrupted) throws Exception {
        UserTuning user = UserTuning.of(Tuning.in(file));
        user.put(entry("a device"));
        Path lock = file.resolveSibling("tuning.json.lock");
        Thread writer = new Thread(() -> {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            try {
                user.put(entry("another"));
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.WRITE)) {
            channel.lock();
            writer.start();
            writer.join(200);
            assertThat(writer.isAlive()).isTrue();
            assertThat(user.read()).containsExactly(entry("a device"));
        }
        writer.join(60_000);
        assertThat(user.read()).containsExactly(entry("a device"), entry("another"));
    }

    @Test
    void whatCannotBeReadIsKept() throws IOException {
        UserTuning user = UserTuning.of(Tuning.in(file));
        user.put(entry("a device"));
        String newer = Files.readString(file).replace("float32", "float8");
        Files.writeString(file, newer);
        assertThat(user.read()).isEmpty();
        user.put(entry("another"));
        assertThat(user.read()).containsExactly(entry("another"));
        assertThat(Files.readString(file)).contains("float8", "a device", "another");
        assertThat(user.removeReplacedBy(entry("another"))).isTrue();
        assertThat(user.removeReplacedBy(entry("another"))).isFalse();
        assertThat(user.read()).isEmpty();
        assertThat(Files.readString(file)).contains("float8");
    }

    /** Keeps entries on a thread that is interrupted before each, as a stopped program's is. */
    static final class TuningWriter {
        private TuningWriter() {}

        /**
         * The program.
         *
         * @param arguments the file, the writer's name and how many entries
         */
        public static void main(String[] arguments) throws IOException {
            UserTuning user = UserTuning.of(Tuning.in(Path.of(arguments[0])));
            for (int n = 0; n < Integer.parseInt(arguments[2]); n++) {
                Thread.currentThread().interrupt();
                user.put(new TuningEntry(
                        arguments[1] + " " + n,
                        "1.0",
                        LocalDate.parse("2026-11-02"),
                        "auto",
                        new ProblemClass(DType.FLOAT32, "33-64", "long", false),
                        Variant.parse("tiles:TILE=1"),
                        "1.8.8.1024.1024.64",
                        1.25,
                        1.1));
                if (!Thread.currentThread().isInterrupted()) {
                    throw new IllegalStateException("the interrupt is lost");
                }
            }
            System.out.println("kept");
        }
    }
}
