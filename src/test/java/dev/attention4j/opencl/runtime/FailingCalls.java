package dev.attention4j.opencl.runtime;

import java.util.function.Predicate;
import org.jocl.CL;

/** Makes the n-th of some calls to OpenCL fail, in all engines, until it is closed. */
public final class FailingCalls implements AutoCloseable {
    /** The code that they fail with, as errors name it. */
    public static final String CODE = "CL_OUT_OF_RESOURCES";

    private final int which;
    private final Predicate<String> counted;
    private int seen;
    private String struck = "";

    private FailingCalls(int which, Predicate<String> counted) {
        this.which = which;
        this.counted = counted;
    }

    /**
     * From now on.
     *
     * @param which of the calls, from 1
     * @param counted says by a function's name whether it is one of them
     * @return to be closed before the next
     */
    public static FailingCalls nth(int which, Predicate<String> counted) {
        FailingCalls calls = new FailingCalls(which, counted);
        Calls.inject(calls::before);
        return calls;
    }

    private synchronized int before(String call) {
        if (!counted.test(call) || ++seen != which) {
            return CL.CL_SUCCESS;
        }
        struck = call;
        return CL.CL_OUT_OF_RESOURCES;
    }

    /**
     * What failed.
     *
     * @return the function's name; empty if there were not so many calls
     */
    public synchronized String struck() {
        return struck;
    }

    @Override
    public void close() {
        Calls.injectNothing();
    }
}
