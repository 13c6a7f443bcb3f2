package dev.attention4j.bench.jmh;

/** {@code staged/weighted_sum.cl}. */
public class WeightedSumBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public WeightedSumBenchmark() {
        super("weighted_sum", "staged", LONG);
    }
}
