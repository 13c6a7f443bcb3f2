package dev.attention4j.bench.jmh;

/** {@code fused/merge_splits.cl}, which merges the splits of the plan decode. */
public class MergeSplitsBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public MergeSplitsBenchmark() {
        super("merge_splits", "decode", "1.8.1.1.65536.64");
    }
}
