package dev.attention4j.bench.jmh;

/** {@code backward/backward_preprocess.cl}. */
public class BackwardPreprocessBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardPreprocessBenchmark() {
        super("backward_preprocess");
    }
}
