package dev.attention4j.bench.jmh;

/** {@code projection/project_tiles.cl}, for GPUs. */
public class ProjectTilesBenchmark extends ProjectionKernelBenchmark {
    /** Names the kernel. */
    public ProjectTilesBenchmark() {
        super("project_tiles");
    }
}
