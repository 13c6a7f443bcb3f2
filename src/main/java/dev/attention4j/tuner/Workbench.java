package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/** One problem on one device, and the variants that can compute it. */
interface Workbench extends AutoCloseable {
    /** Returns the variants that are worth timing: the engine's untuned choice first; never empty. */
    List<Variant> variants();

    /**
     * Computes the problem in memory that held NaN before; returns what is wrong with the result, empty if it is right.
     */
    Optional<String> whyWrong(Variant variant);

    /** Computes the problem once and waits for it, on tensors in the device's memory. */
    void run(Variant variant);

    /**
     * Returns which kernels of a variant that has run leave variables in memory for want of registers, and how many bytes of a
     * work-item; empty if none does.
     */
    String outOfRegisters(Variant variant);

    @Override
    void close();
}
