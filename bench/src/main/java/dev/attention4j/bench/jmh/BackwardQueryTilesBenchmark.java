package dev.attention4j.bench.jmh;

/** {@code backward/backward_query_tiles.cl}. */
public class BackwardQueryTilesBenchmark extends BackwardKernelBenchmark {
    /** Names the kernel. */
    public BackwardQueryTilesBenchmark() {
        super("backward_query_tiles", "tiles");
    }
}
