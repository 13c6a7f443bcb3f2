package dev.attention4j.spi;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineOptions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Completes the futures of {@link AttentionEngine#attendAsync}.
 *
 * <p>What a caller attaches to a future runs on the thread that completes it and may wait for the engine's next result.
 * So that thread is none that an engine needs, and none of the common pool, all of whose threads the caller may have
 * blocked: it is one of the caller's own executor, or one of a few that all engines share. Where no thread can be
 * started, the calling thread does the work, so that every future completes.
 */
public final class Completion {
    /** How long a thread without work waits for some. */
    private static final int IDLE_SECONDS = 10;

    /** As many callbacks as may run, or wait for each other, at a time. */
    private static final int MOST_CALLBACKS = 64;

    private static final Logger LOG = LoggerFactory.getLogger(Completion.class);

    private Completion() {}

    /** Made when it is first used. */
    private static final class Shared {
        /** As many threads as callbacks run at a time: mostly one. */
        static final Executor EXECUTOR = new ThreadPoolExecutor(
                0,
                MOST_CALLBACKS,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new SynchronousQueue<>(),
                daemons("attention4j results"));
    }

    /**
     * Threads for what an engine does on its own: daemons, started when there is work, ended when there is none for a
     * while.
     *
     * @param most threads at a time
     * @param name of the threads, to which a number is added
     * @return to be shut down with the engine
     */
    public static ThreadPoolExecutor threads(int most, String name) {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                most, most, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), daemons(name));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    private static ThreadFactory daemons(String name) {
        AtomicInteger number = new AtomicInteger();
        return work -> {
            // Without the thread locals of the caller that happens to be the first.
            Thread thread = new Thread(null, work, name + " " + number.incrementAndGet(), 0, false);
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * Runs a task on an executor, or here if the executor cannot take it: it has been shut down, is full, or no thread
     * can be started.
     *
     * @param executor where to
     * @param task run once; must not throw
     */
    public static void run(Executor executor, Runnable task) {
        // An executor may keep a task and throw all the same, when it fails to start another thread for it.
        AtomicBoolean begun = new AtomicBoolean();
        Runnable once = () -> {
            if (begun.compareAndSet(false, true)) {
                task.run();
            }
        };
        try {
            executor.execute(once);
        } catch (RuntimeException | Error e) {
            LOG.debug("{} runs here: {} takes nothing", task, executor, e);
            once.run();
        }
    }

    /**
     * Completes a future with a result, which is closed if the future was cancelled or completed by another.
     *
     * @param options name the executor
     * @param future of a caller
     * @param result complete
     */
    public static void complete(
            EngineOptions options, CompletableFuture<AttentionResult> future, AttentionResult result) {
        run(executor(options), () -> {
            if (!future.complete(result)) {
                result.close();
            }
        });
    }

    /**
     * Completes a future with what its call threw.
     *
     * @param options name the executor
     * @param future of a caller
     * @param failure of the call
     */
    public static void fail(EngineOptions options, CompletableFuture<AttentionResult> future, Throwable failure) {
        run(executor(options), () -> future.completeExceptionally(failure));
    }

    private static Executor executor(EngineOptions options) {
        return options.completionExecutor() == null ? Shared.EXECUTOR : options.completionExecutor();
    }
}
