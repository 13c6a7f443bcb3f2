package dev.attention4j.bench.jmh;

/** {@code fused/forward_rows.cl}. */
public class ForwardRowsBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public ForwardRowsBenchmark() {
        super("forward_rows", "rows", LONG);
    }
}
