package dev.attention4j.bench.jmh;

/** {@code staged/scores.cl}. */
public class ScoresBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public ScoresBenchmark() {
        super("scores", "staged", LONG);
    }
}
