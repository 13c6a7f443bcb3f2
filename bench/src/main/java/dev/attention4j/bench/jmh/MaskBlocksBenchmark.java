package dev.attention4j.bench.jmh;

/** {@code fused/mask_blocks.cl}, launched by {@code MaskBlocks}: finds the blocks of keys that a boolean mask hides. */
public class MaskBlocksBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that finds them anew in each call and the usual shape. */
    public MaskBlocksBenchmark() {
        super("mask_blocks", "tiles", LONG + ":mask");
    }
}
