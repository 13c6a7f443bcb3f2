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
 * <p>A caller's callbacks run on the thread that completes a future and may wait for the engine's next result. So that
 * thread must be neither one that an engine needs nor one of the common pool, all of whose threads the caller may have
 * blocked. It belongs to the caller's executor or to a few threads that all engines share. If no thread can be started,
 * the calling thread does the work, so that every future completes.
 */
public final class Completion {
    /** The time after which an idle thread ends. */
    private static final int IDLE_SECONDS = 10;

    /** The most callbacks that run, or wait for each other, at a time. */
    private static final int MOST_CALLBACKS = 64;

    private static final Logger LOG = LoggerFactory.getLogger(Completion.class);

    private Completion() {}

    /** Made at its first use. */
    private static final class Shared {
        /** Has as many threads as callbacks run at a time: usually one. */
        static final Executor EXECUTOR = new ThreadPoolExecutor(
                0,
                MOST_CALLBACKS,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new SynchronousQueue<>(),
                daemons("attention4j results"));
    }

    /**
     * Returns threads for an engine's own work, which the engine shuts down: daemons, numbered after the name, started when
     * there is work and ended when they are idle.
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
            // Does not inherit the thread locals of the first caller.
            Thread thread = new Thread(null, work, name + " " + number.incrementAndGet(), 0, false);
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * Runs a task once on an executor, or here if the executor refuses it because it was shut down, is full, or can start no
     * thread. The task must not throw.
     */
    public static void run(Executor executor, Runnable task) {
        // An executor that fails to start a thread may keep the task and throw.
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

    /** Completes a future on the options' executor. Closes the result if the future was cancelled or completed before. */
    public static void complete(
            EngineOptions options, CompletableFuture<AttentionResult> future, AttentionResult result) {
        run(executor(options), () -> {
            if (!future.complete(result)) {
                result.close();
            }
        });
    }

    /** Completes a future exceptionally on the options' executor. */
    public static void fail(EngineOptions options, CompletableFuture<AttentionResult> future, Throwable failure) {
        run(executor(options), () -> future.completeExceptionally(failure));
    }

    private static Executor executor(EngineOptions options) {
        return options.completionExecutor() == null ? Shared.EXECUTOR : options.completionExecutor();
    }
}
