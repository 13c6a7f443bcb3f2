package dev.attention4j.bench.jmh;

/** {@code backward/backward_heads.cl}. */
public class BackwardHeadsBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardHeadsBenchmark() {
        super("backward_heads");
    }
}
