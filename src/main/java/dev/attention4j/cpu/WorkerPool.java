package dev.attention4j.cpu;

import dev.attention4j.spi.Completion;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/**
 * The threads of one engine. The calling thread works too, so that a call never waits for a thread that serves another call.
 */
final class WorkerPool implements AutoCloseable {
    private static final AtomicInteger POOLS = new AtomicInteger();

    private final int threads;
    private final ExecutorService helpers;

    /** Takes the number of threads for one call, including the calling thread. */
    WorkerPool(int threads) {
        this.threads = threads;
        // They end when they are idle, so that an engine that is never closed leaves no thread.
        helpers = threads == 1 ? null : Completion.threads(threads - 1, "attention4j cpu " + POOLS.incrementAndGet());
    }

    int threads() {
        return threads;
    }

    /**
     * Runs tasks 0 to count − 1, each once, and returns when all are done. Throws what one throws; tasks not started by
     * then are left out.
     *
     * @param shared true if other threads help
     * @param worker makes the function that runs tasks, once on each thread that takes part, so that it may own scratch
     *     memory
     */
    void run(int count, boolean shared, Supplier<IntConsumer> worker) {
        if (!shared || threads == 1 || count == 1) {
            IntConsumer mine = count == 0 ? null : worker.get();
            for (int task = 0; task < count; task++) {
                mine.accept(task);
            }
            return;
        }
        Job job = new Job(count, worker);
        for (int helper = 1; helper < Math.min(threads, count); helper++) {
            try {
                helpers.execute(job);
            } catch (OutOfMemoryError e) {
                // No thread can be started: the existing ones do the work, at least this one.
                break;
            }
        }
        job.run();
        job.await();
    }

    @Override
    public void close() {
        if (helpers != null) {
            helpers.shutdown();
        }
    }

    private static final class Job implements Runnable {
        private final int count;
        private final Supplier<IntConsumer> worker;
        private final AtomicInteger next = new AtomicInteger();
        private final CountDownLatch left;
        private final AtomicReference<Throwable> failure = new AtomicReference<>();

        Job(int count, Supplier<IntConsumer> worker) {
            this.count = count;
            this.worker = worker;
            this.left = new CountDownLatch(count);
        }

        @Override
        public void run() {
            IntConsumer mine = null;
            for (int task = next.getAndIncrement(); task < count; task = next.getAndIncrement()) {
                try {
                    if (failure.get() == null) {
                        mine = mine == null ? worker.get() : mine;
                        mine.accept(task);
                    }
                } catch (RuntimeException | Error e) {
                    failure.compareAndSet(null, e);
                } finally {
                    left.countDown();
                }
            }
        }

        /** Waits for all tasks. Running tasks cannot be stopped, so an interrupt is kept for the caller. */
        void await() {
            boolean interrupted = false;
            while (true) {
                try {
                    left.await();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            Throwable thrown = failure.get();
            if (thrown instanceof Error error) {
                throw error;
            }
            if (thrown instanceof RuntimeException exception) {
                throw exception;
            }
        }
    }
}
