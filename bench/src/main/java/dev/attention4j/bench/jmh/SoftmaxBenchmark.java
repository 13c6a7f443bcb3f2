package dev.attention4j.bench.jmh;

/** {@code staged/softmax.cl}. */
public class SoftmaxBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public SoftmaxBenchmark() {
        super("softmax", "staged", LONG);
    }
}
