package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Field;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkerPoolTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void runsEachTaskOnce(int threads) {
        try (WorkerPool pool = new WorkerPool(threads)) {
            for (int count : new int[] {0, 1, 3, 1000}) {
                AtomicIntegerArray runs = new AtomicIntegerArray(count);
                pool.run(count, true, () -> runs::incrementAndGet);
                for (int task = 0; task < count; task++) {
                    assertThat(runs.get(task)).isEqualTo(1);
                }
            }
        }
    }

    @Test
    void allThreadsTakePart() {
        try (WorkerPool pool = new WorkerPool(3)) {
            // Each of the three tasks waits for the other two, so that no thread can run two of them.
            CyclicBarrier together = new CyclicBarrier(3);
            pool.run(3, true, () -> task -> {
                try {
                    together.await(30, TimeUnit.SECONDS);
                } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
                    throw new IllegalStateException(e);
                }
            });
            assertThat(together.isBroken()).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void throwsWhatATaskThrewAndWorksOn(int threads) {
        try (WorkerPool pool = new WorkerPool(threads)) {
            assertThatThrownBy(() -> pool.run(100, true, () -> task -> {
                        if (task == 17) {
                            throw new IllegalStateException("task 17");
                        }
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("task 17");
            assertThatThrownBy(() -> pool.run(10, true, () -> {
                        throw new OutOfMemoryError("no scratch memory");
                    }))
                    .isInstanceOf(OutOfMemoryError.class);
            AtomicIntegerArray runs = new AtomicIntegerArray(4);
            pool.run(4, true, () -> runs::incrementAndGet);
            assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1]");
        }
    }

    /** As where a container's limit is reached: what did not start is not waited for, and nothing runs on afterwards. */
    @Test
    void withoutThreadsTheCallerDoesAll() throws ReflectiveOperationException {
        try (WorkerPool pool = new WorkerPool(3)) {
            Field helpers = WorkerPool.class.getDeclaredField("helpers");
            helpers.setAccessible(true);
            ((ThreadPoolExecutor) helpers.get(pool)).setThreadFactory(task -> {
                throw new OutOfMemoryError("unable to create native thread");
            });
            AtomicIntegerArray runs = new AtomicIntegerArray(50);
            pool.run(50, true, () -> runs::incrementAndGet);
            for (int task = 0; task < 50; task++) {
                assertThat(runs.get(task)).isEqualTo(1);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void keepsAnInterruptForTheCaller(int threads) {
        try (WorkerPool pool = new WorkerPool(threads)) {
            AtomicIntegerArray runs = new AtomicIntegerArray(50);
            Thread.currentThread().interrupt();
            pool.run(50, true, () -> runs::incrementAndGet);
            assertThat(Thread.interrupted()).isEqualTo(true);
            for (int task = 0; task < 50; task++) {
                assertThat(runs.get(task)).isEqualTo(1);
            }
        }
    }
}
