package dev.attention4j.bench.jmh;

/** {@code backward/backward_bias.cl}. */
public class BackwardBiasBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardBiasBenchmark() {
        super("backward_bias");
    }
}
