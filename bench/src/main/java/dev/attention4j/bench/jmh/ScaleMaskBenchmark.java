package dev.attention4j.bench.jmh;

/** {@code staged/scale_mask.cl}. */
public class ScaleMaskBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public ScaleMaskBenchmark() {
        super("scale_mask", "staged", LONG + ":causal");
    }
}
