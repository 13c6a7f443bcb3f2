package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.spi.Completion;
import dev.attention4j.testing.TestEngines;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every future of every engine completes, on threads that no caller blocks. */
class CompletionTest {
    private static final long SECONDS = 60;

    private final Tensor tensor = Tensor.random(1, 1, 2, 16, 32);

    static List<EngineInfo> engines() {
        return Engines.list();
    }

    /** As where a container's or a user's limit is reached. */
    private static Thread none(Runnable task) {
        throw new OutOfMemoryError("unable to create native thread, for " + task);
    }

    private static AttentionEngine open(EngineInfo info, Executor completion) {
        return Engines.open(info.id(), TestEngines.options().withCompletionExecutor(completion));
    }

    private CompletableFuture<AttentionResult> call(AttentionEngine engine) {
        return engine.attendAsync(tensor, tensor, tensor, Attention.DEFAULT);
    }

    private void checkAndClose(CompletableFuture<AttentionResult> future, float[] expected) throws Exception {
        try (AttentionResult result = future.get(SECONDS, TimeUnit.SECONDS)) {
            assertThat(result.output().toFloatArray()).isEqualTo(expected);
        }
    }

    private float[] expected(AttentionEngine engine) {
        try (AttentionResult result = engine.attend(tensor, tensor, tensor)) {
            return result.output().toFloatArray();
        }
    }

    private static void closesSoon(AttentionEngine engine) throws Exception {
        Thread closing = new Thread(engine::close);
        closing.setDaemon(true);
        closing.start();
        closing.join(TimeUnit.SECONDS.toMillis(SECONDS));
        assertThat(closing.isAlive())
                .as("waits: " + Arrays.toString(closing.getStackTrace()))
                .isFalse();
    }

    private static void takeThreads(AttentionEngine engine, ThreadFactory factory) throws ReflectiveOperationException {
        int changed = 0;
        for (Class<?> type = engine.getClass(); type != Object.class; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (ThreadPoolExecutor.class.isAssignableFrom(field.getType())) {
                    field.setAccessible(true);
                    ((ThreadPoolExecutor) field.get(engine)).setThreadFactory(factory);
                    changed++;
                }
            }
        }
        assertThat(changed).as("executors of " + engine).isPositive();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void withoutAnyThreadTheCallerWaits(EngineInfo info) throws Exception {
        AttentionEngine engine = open(info, CompletionTest::none);
        float[] expected = expected(engine);
        takeThreads(engine, CompletionTest::none);
        CompletableFuture<AttentionResult> future = call(engine);
        assertThat(future).isDone();
        checkAndClose(future, expected);
        closesSoon(engine);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void withoutAThreadForCallbacksTheEnginesOwnCompletes(EngineInfo info) throws Exception {
        for (Executor executor : List.<Executor>of(CompletionTest::none, task -> {
            throw new RejectedExecutionException("shut down");
        })) {
            AttentionEngine engine = open(info, executor);
            float[] expected = expected(engine);
            checkAndClose(call(engine), expected);
            // On the engine's own thread, which must not wait for itself.
            CompletableFuture<Void> closed = call(engine).thenAccept(result -> {
                result.close();
                engine.close();
            });
            closed.get(SECONDS, TimeUnit.SECONDS);
            closesSoon(engine);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void anExecutorThatThrowsAfterItHasRunATaskLosesNothing(EngineInfo info) throws Exception {
        try (AttentionEngine engine = open(info, task -> {
            task.run();
            throw new IllegalStateException("after the task");
        })) {
            float[] expected = expected(engine);
            checkAndClose(call(engine), expected);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void theCallersExecutorRunsWhatIsAttached(EngineInfo info) throws Exception {
        ExecutorService executor = Executors.newSingleThreadExecutor(task -> new Thread(task, "the caller's"));
        try (AttentionEngine engine = open(info, executor)) {
            CountDownLatch go = new CountDownLatch(1);
            // Its only thread is busy, so that the future is not complete before something is attached.
            executor.execute(() -> {
                try {
                    go.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            CompletableFuture<String> thread = call(engine).thenApply(result -> {
                result.close();
                return Thread.currentThread().getName();
            });
            go.countDown();
            assertThat(thread.get(SECONDS, TimeUnit.SECONDS)).isEqualTo("the caller's");
        } finally {
            executor.shutdown();
        }
    }

    /** A thread for each call, or one of the common pool, whose threads a caller may have blocked. */
    @ParameterizedTest
    @MethodSource("engines")
    void fewThreadsOfItsOwnComplete(EngineInfo info) throws Exception {
        Set<Thread> completing = ConcurrentHashMap.newKeySet();
        try (AttentionEngine engine = open(info, null)) {
            for (int n = 0; n < 40; n++) {
                CountDownLatch attached = new CountDownLatch(1);
                CompletableFuture<AttentionResult> future = call(engine);
                CompletableFuture<Void> seen = future.thenAccept(result -> {
                    result.close();
                    completing.add(Thread.currentThread());
                    attached.countDown();
                });
                assertThat(attached.await(SECONDS, TimeUnit.SECONDS)).isTrue();
                seen.get();
            }
        }
        completing.remove(Thread.currentThread());
        assertThat(completing).hasSizeLessThanOrEqualTo(8).allSatisfy(thread -> {
            assertThat(thread.getName()).startsWith("attention4j");
            assertThat(thread.isDaemon()).isTrue();
        });
    }

    @ParameterizedTest
    @MethodSource("engines")
    void resultsCompleteWhereTheCommonPoolIsBlocked(EngineInfo info) throws Exception {
        int threads = Math.max(1, ForkJoinPool.getCommonPoolParallelism());
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch blocked = new CountDownLatch(threads);
        try (AttentionEngine engine = open(info, null)) {
            for (int n = 0; n < threads; n++) {
                ForkJoinPool.commonPool().execute(() -> {
                    blocked.countDown();
                    try {
                        release.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
            }
            assertThat(blocked.await(SECONDS, TimeUnit.SECONDS)).isTrue();
            CountDownLatch got = new CountDownLatch(1);
            CompletableFuture<Void> unused = call(engine).thenAccept(result -> {
                result.close();
                got.countDown();
            });
            assertThat(got.await(SECONDS, TimeUnit.SECONDS)).isTrue();
        } finally {
            release.countDown();
        }
    }

    /** Callbacks that wait for the engine's next result, more of them than there are processors. */
    @ParameterizedTest
    @MethodSource("engines")
    void callbacksMayWaitForFurtherResults(EngineInfo info) throws Exception {
        try (AttentionEngine engine = open(info, null)) {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int n = 0; n < 3 * Runtime.getRuntime().availableProcessors(); n++) {
                all.add(call(engine).thenAccept(result -> {
                    result.close();
                    call(engine).join().close();
                }));
            }
            for (CompletableFuture<Void> one : all) {
                one.get(SECONDS, TimeUnit.SECONDS);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void theResultOfACancelledFutureIsClosed(EngineInfo info) throws Exception {
        List<Runnable> kept = new ArrayList<>();
        CountDownLatch there = new CountDownLatch(1);
        try (AttentionEngine engine = open(info, task -> {
            kept.add(task);
            there.countDown();
        })) {
            Tensor query = engine.upload(tensor);
            long before = Handle.live();
            CompletableFuture<AttentionResult> future = engine.attendAsync(query, tensor, tensor, Attention.DEFAULT);
            assertThat(there.await(SECONDS, TimeUnit.SECONDS)).isTrue();
            assertThatThrownBy(() -> future.get(0, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
            future.cancel(true);
            kept.forEach(Runnable::run);
            assertThatThrownBy(future::join).isInstanceOf(CancellationException.class);
            assertThat(Handle.live()).isGreaterThanOrEqualTo(before);
        }
    }

    @Test
    void aTaskRunsOnceWhateverItsExecutorDoes() {
        List<String> runs = new ArrayList<>();
        List<Runnable> kept = new ArrayList<>();
        Completion.run(
                task -> {
                    kept.add(task);
                    throw new OutOfMemoryError("kept, but no thread for it");
                },
                () -> runs.add("run"));
        assertThat(runs).containsExactly("run");
        kept.forEach(Runnable::run);
        assertThat(runs).containsExactly("run");
    }
}
