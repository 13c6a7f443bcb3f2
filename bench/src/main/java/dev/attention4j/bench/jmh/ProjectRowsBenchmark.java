package dev.attention4j.bench.jmh;

/** {@code projection/project_rows.cl}, for CPUs. */
public class ProjectRowsBenchmark extends ProjectionKernelBenchmark {
    /** Names the kernel. */
    public ProjectRowsBenchmark() {
        super("project_rows");
    }
}
