package dev.attention4j.bench.jmh;

/** {@code fused/forward_tiles.cl}. */
public class ForwardTilesBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public ForwardTilesBenchmark() {
        super("forward_tiles", "tiles", LONG);
    }
}
