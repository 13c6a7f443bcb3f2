package dev.attention4j.bench.jmh;

/** {@code backward/backward_key_value.cl}. */
public class BackwardKeyValueBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardKeyValueBenchmark() {
        super("backward_key_value");
    }
}
