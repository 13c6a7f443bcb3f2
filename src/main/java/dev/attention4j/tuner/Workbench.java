package dev.attention4j.tuner;

import dev.attention4j.opencl.plan.Variant;
import java.util.List;
import java.util.Optional;

/** One problem on one device, and the variants that can compute it. */
interface Workbench extends AutoCloseable {
    /** The variants that are worth timing: first what the engine picks untuned, then the others; never empty. */
    List<Variant> variants();

    /** Computes the problem in memory that held NaN before, and says what is wrong with the result; empty if it is right. */
    Optional<String> whyWrong(Variant variant);

    /** Computes the problem once and waits for it, on tensors that lie on the device. */
    void run(Variant variant);

    @Override
    void close();
}
