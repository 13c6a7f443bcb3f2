package dev.attention4j.cli;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Long work that a user may stop by Ctrl-C or by SIGTERM: what was found until then is reported before the process ends.
 */
final class Interruption implements AutoCloseable {
    /** Work that has not ended by then is left as it is. */
    private static final int SECONDS_TO_STOP = 5;

    /** Reports what was found. */
    interface Report {
        void write() throws IOException;
    }

    private final CountDownLatch worked = new CountDownLatch(1);
    private final Thread hook;
    private volatile boolean isAsked;

    /** Begins to listen. */
    Interruption(Runnable stop, Report report) {
        hook = new Thread(() -> stopAndReport(stop, report), "interruption");
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void stopAndReport(Runnable stop, Report report) {
        isAsked = true;
        stop.run();
        try {
            worked.await(SECONDS_TO_STOP, TimeUnit.SECONDS);
            report.write();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            System.err.println("attention4j: " + Text.message(e));
        }
    }

    /** True if the work is to stop, or has stopped early. */
    boolean isAsked() {
        return isAsked;
    }

    /** The work has ended, to its end or early. */
    void endOfWork() {
        worked.countDown();
    }

    @Override
    public void close() {
        worked.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process ends already, by way of the hook.
        }
    }
}
