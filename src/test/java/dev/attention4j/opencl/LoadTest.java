package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.testing.TestEngines;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Many threads, and callers who change their minds. {@code -Dload=full} goes on for a minute for each device. */
class LoadTest {
    private static final boolean FULL = "full".equals(System.getProperty("load"));

    private static final int THREADS = 16;
    private static final int PROBLEMS = 16;

    /** Emulators take seconds to build kernels for a problem, and most of one for a call. */
    private static final int PROBLEMS_ON_EMULATOR = 4;

    private final Tensor query = Tensor.random(1, 2, 4, 33, 20);
    private final Tensor key = Tensor.random(2, 2, 2, 40, 20);
    private final Attention causal = Attention.causal(Alignment.BOTTOM_RIGHT);

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static long seconds(EngineInfo info) {
        return info.kind() == EngineInfo.Kind.EMULATOR ? 1 : FULL ? 60 : 3;
    }

    /** A problem, and what one thread alone gets. */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares two of them.
    private record Job(RandomProblem problem, byte[] expected) {
        static Job of(AttentionEngine engine, RandomProblem problem) {
            try (AttentionResult result =
                    engine.attend(problem.query(), problem.key(), problem.value(), problem.attention())) {
                return new Job(problem, bytes(problem.attention(), result));
            }
        }

        private static byte[] bytes(Attention attention, AttentionResult result) {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            List<Tensor> tensors = new ArrayList<>(List.of(result.output()));
            if (attention.wantsWeights()) {
                tensors.add(result.weights());
            }
            if (attention.wantsLogSumExp()) {
                tensors.add(result.logSumExp());
            }
            for (Tensor tensor : tensors) {
                byte[] bytes = new byte[(int) tensor.byteSize()];
                tensor.contiguous().bytes().get(bytes);
                all.writeBytes(bytes);
            }
            return all.toByteArray();
        }

        /** In one of the ways in which an engine is called. */
        void run(AttentionEngine engine, int way) {
            Attention attention = problem.attention();
            if (way == 0) {
                CompletableFuture<AttentionResult> future =
                        engine.attendAsync(problem.query(), problem.key(), problem.value(), attention);
                try (AttentionResult result = future.join()) {
                    check(result);
                }
            } else if (way == 1) {
                try (Tensor there = engine.upload(problem.query());
                        AttentionResult result = engine.attend(there, problem.key(), problem.value(), attention)) {
                    check(result);
                }
            } else {
                try (AttentionResult result =
                        engine.attend(problem.query(), problem.key(), problem.value(), attention)) {
                    check(result);
                }
            }
        }

        private void check(AttentionResult result) {
            assertThat(bytes(problem.attention(), result))
                    .as(problem.reproduce() + " by " + result.plan())
                    .isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void manyThreadsGetTheBitsOfOne(EngineInfo info) throws Exception {
        boolean emulator = info.kind() == EngineInfo.Kind.EMULATOR;
        int problems = emulator ? PROBLEMS_ON_EMULATOR : PROBLEMS;
        int least = emulator ? 1 : 4;
        AtomicLong calls = new AtomicLong();
        try (AttentionEngine engine = TestEngines.open(info)) {
            List<Job> jobs = new ArrayList<>();
            for (int n = 0; n < problems; n++) {
                jobs.add(Job.of(engine, RandomProblem.draw(42_000 + n)));
            }
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds(info));
            onThreads(thread -> {
                Random random = new Random(thread);
                // Each has its turn, however slow the device is.
                for (int n = 0; n < least || System.nanoTime() < end; n++) {
                    jobs.get(random.nextInt(problems)).run(engine, random.nextInt(4));
                    calls.incrementAndGet();
                }
            });
        }
        System.out.println("load: " + info.name() + ": " + THREADS + " threads, " + calls + " calls in " + seconds(info)
                + " s, all with the bits of one thread");
    }

    @ParameterizedTest
    @MethodSource("devices")
    void callersWhoChangeTheirMindsLeakNothing(EngineInfo info) throws Exception {
        int rounds = info.kind() == EngineInfo.Kind.EMULATOR ? 1 : FULL ? 500 : 40;
        try (OpenClEngine engine = (OpenClEngine) TestEngines.open(info)) {
            byte[] expected = outputOf(engine);
            engine.context().pool().close();
            long alive = Handle.live();
            AtomicLong interrupted = new AtomicLong();
            onThreads(thread -> {
                for (int n = 0; n < rounds; n++) {
                    if (thread % 2 == 0) {
                        engine.attendAsync(query, key, key, causal).cancel(n % 2 == 0);
                        continue;
                    }
                    // An interrupted caller gets its result, and finds itself interrupted afterwards.
                    Thread.currentThread().interrupt();
                    assertThat(outputOf(engine)).isEqualTo(expected);
                    interrupted.addAndGet(Thread.interrupted() ? 1 : 0);
                }
            });
            assertThat(interrupted).hasValue((long) rounds * THREADS / 2);
            assertThat(outputOf(engine)).isEqualTo(expected);
            // The thread that ends calls that nobody waits for ends them in their order.
            engine.attendAsync(query, key, key, causal).join().close();
            assertThat(engine.context().pool().bytesInUse()).isZero();
            engine.context().pool().close();
            assertThat(Handle.live()).as(Handle::report).isEqualTo(alive);
        }
    }

    /** The first call on an interrupted thread, which reads kept builds from files. */
    @ParameterizedTest
    @MethodSource("devices")
    void anInterruptedThreadMayBuildKernels(EngineInfo info) {
        byte[] expected;
        try (AttentionEngine engine = TestEngines.open(info)) {
            expected = outputOf(engine);
        }
        try (AttentionEngine engine = TestEngines.open(info)) {
            Thread.currentThread().interrupt();
            byte[] got = outputOf(engine);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(got).isEqualTo(expected);
        }
    }

    private byte[] outputOf(AttentionEngine engine) {
        try (AttentionResult result = engine.attend(query, key, key, causal)) {
            return Job.bytes(causal, result);
        }
    }

    /** A task for each thread, by its number. */
    @FunctionalInterface
    private interface Task {
        void run(int thread) throws Exception;
    }

    private static void onThreads(Task task) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> done = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                int number = thread;
                done.add(threads.submit(() -> {
                    task.run(number);
                    return null;
                }));
            }
            for (Future<?> future : done) {
                future.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
