package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/** One problem on one device, and the variants that can compute it. */
interface Workbench extends AutoCloseable {
    /** What the oracle may take: some seconds. */
    double ORACLE_FLOPS = 4e8;

    /**
     * What is worth timing.
     *
     * @return first what the engine picks untuned, then the others; never empty
     */
    List<Variant> variants();

    /**
     * Computes the problem in memory that held NaN before and compares the result with the oracle.
     *
     * @return what is wrong with it; empty if it is right
     */
    Optional<String> objection(Variant variant);

    /** Computes the problem once and waits for it, on tensors that lie on the device. */
    void run(Variant variant);

    @Override
    void close();
}
