package dev.attention4j.spi;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** The calls that an engine has accepted and that have not ended: closing the engine waits for them. */
public final class CallsUnderWay {
    private final String engine;
    private final ReentrantLock lock;
    private final Condition idle;
    private int count;
    private volatile boolean closed;

    /** Starts with an open engine, named in errors; the lock is held while calls are counted and while the engine is closed. */
    public CallsUnderWay(String engine, ReentrantLock lock) {
        this.engine = engine;
        this.lock = lock;
        idle = lock.newCondition();
    }

    /** Refuses a call on a closed engine. */
    public void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the engine " + engine + " is closed");
        }
    }

    /** {@return true once the engine is being closed} */
    public boolean isClosed() {
        return closed;
    }

    /** Accepts a call, which must {@link #end}, unless the engine is closed. */
    public void begin() {
        lock.lock();
        try {
            checkOpen();
            count++;
        } finally {
            lock.unlock();
        }
    }

    /** Ends a call. */
    public void end() {
        lock.lock();
        try {
            count--;
            idle.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Refuses new calls and waits for those accepted; the first time, then releases what the engine holds, under the lock. */
    public void close(Runnable release) {
        lock.lock();
        try {
            boolean first = !closed;
            closed = true;
            while (count > 0) {
                idle.awaitUninterruptibly();
            }
            if (first) {
                release.run();
            }
        } finally {
            lock.unlock();
        }
    }
}
