package dev.attention4j.opencl;

import dev.attention4j.opencl.runtime.Handle;
import java.lang.ref.Cleaner;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds what a caller has forgotten to close: what it holds on a device is freed once no thread can reach it, and a warning
 * says so, once for each kind of object. With {@code -Dattention4j.handles.trace=true} each is warned of, with the stack
 * that made it.
 */
final class Forgotten {
    private static final Logger LOG = LoggerFactory.getLogger(Forgotten.class);

    /** The most time that the collector's findings may take to arrive. */
    private static final long ARRIVAL_MILLIS = 1000;

    /** The most time from the first of them to the others, on a busy machine. */
    private static final long OTHERS_MILLIS = 250;

    /** Made when the first object that is on a device is watched. */
    private static final class Shared {
        static final Cleaner CLEANER = create();

        private static Cleaner create() {
            try {
                // With the JDK's own thread: one made here would keep this library's class loader for ever.
                return Cleaner.create();
            } catch (OutOfMemoryError e) {
                LOG.debug("no thread can be started: what is forgotten stays until its engine is closed", e);
                return null;
            }
        }
    }

    /** A kind of object. */
    enum Kind {
        /** A tensor on a device: uploaded, of a result, or a layer's weights. */
        TENSOR("A tensor on a device", "close results, uploaded tensors and layers"),
        /** An engine. */
        ENGINE("An engine", "close each engine when it is no longer needed");

        private final String name;
        private final String advice;

        Kind(String name, String advice) {
            this.name = name;
            this.advice = advice;
        }
    }

    private static final Set<Kind> WARNED = ConcurrentHashMap.newKeySet();

    private Forgotten() {}

    /**
     * Watches an object that its owner frees. The action runs if the owner has not done so; it must not refer to the
     * object, and must not throw. The owner cleans the result then; it does nothing where no thread can be started.
     */
    static Cleaner.Cleanable watch(Object object, Runnable action) {
        Cleaner cleaner = Shared.CLEANER;
        return cleaner == null ? action::run : cleaner.register(object, action);
    }

    /** Returns where an object is made; null unless that is to be traced. */
    static Throwable here() {
        return Handle.areTraced() ? new Throwable("it was made here") : null;
    }

    /** Warns of an object that was not closed, made where {@link #here} was called. */
    static void warn(Kind kind, String what, Throwable made) {
        boolean first = WARNED.add(kind);
        if (made != null) {
            LOG.warn(
                    "{} was never closed and is freed by the garbage collector: {}; {}",
                    kind.name,
                    what,
                    kind.advice,
                    made);
        } else if (first) {
            LOG.warn(
                    "{} was never closed and is freed by the garbage collector, some time, as further ones will be: {}; {}"
                            + " (-D{}=true warns of each and says where it was made)",
                    kind.name,
                    what,
                    kind.advice,
                    Handle.TRACE_PROPERTY);
        }
    }

    /**
     * Has the garbage collector look for forgotten objects, and waits until their actions have begun to run, as {@code
     * any} tells: longer where it turns out that there are none.
     */
    static void collect(BooleanSupplier any) {
        CountDownLatch arrived = new CountDownLatch(1);
        watch(new Object(), arrived::countDown);
        System.gc();
        try {
            boolean hasArrived = arrived.await(ARRIVAL_MILLIS, TimeUnit.MILLISECONDS);
            // Those that were found with it come in any order.
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(hasArrived ? OTHERS_MILLIS : 0);
            while (!any.getAsBoolean() && System.nanoTime() < until) {
                TimeUnit.MILLISECONDS.sleep(1);
            }
            TimeUnit.MILLISECONDS.sleep(1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
