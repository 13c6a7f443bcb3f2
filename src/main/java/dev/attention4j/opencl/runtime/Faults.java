package dev.attention4j.opencl.runtime;

import org.jocl.CL;

/**
 * Where tests put failures: each call to OpenCL that can fail asks here before it is made. Outside of tests all pass.
 *
 * <p>One for all engines, as OpenCL is; tests that use it run alone.
 */
final class Faults {
    /** Decides over each call. */
    @FunctionalInterface
    interface Injector {
        /**
         * Called before OpenCL is.
         *
         * @param call the function's name, and more
         * @return CL_SUCCESS to let it pass, or the code with which it fails without being made
         */
        int before(String call);
    }

    private static final Injector NONE = call -> CL.CL_SUCCESS;

    private static volatile Injector injector = NONE;

    private Faults() {}

    static int before(String call) {
        return injector.before(call);
    }

    /** Lets an injector decide from now on. */
    static void inject(Injector some) {
        injector = some;
    }

    /** Lets all calls pass again. */
    static void none() {
        injector = NONE;
    }
}
