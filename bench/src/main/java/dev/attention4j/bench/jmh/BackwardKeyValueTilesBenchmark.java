package dev.attention4j.bench.jmh;

/** {@code backward/backward_key_value_tiles.cl}. */
public class BackwardKeyValueTilesBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardKeyValueTilesBenchmark() {
        super("backward_key_value_tiles", "tiles");
    }
}
