package dev.attention4j.bench.jmh;

/** {@code fused/forward_decode.cl}. */
public class ForwardDecodeBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public ForwardDecodeBenchmark() {
        super("forward_decode", "decode", DECODING);
    }
}
