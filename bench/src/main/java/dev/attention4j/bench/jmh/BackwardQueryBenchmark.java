package dev.attention4j.bench.jmh;

/** {@code backward/backward_query.cl}. */
public class BackwardQueryBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardQueryBenchmark() {
        super("backward_query");
    }
}
