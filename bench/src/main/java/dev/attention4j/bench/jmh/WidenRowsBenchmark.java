package dev.attention4j.bench.jmh;

import dev.attention4j.DType;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;

/** {@code fused/widen_rows.cl}, which widens keys and values of 16 bits. */
public class WidenRowsBenchmark extends AttentionKernelBenchmark {
    /** Names the kernel, the plan that launches it and the usual shape. */
    public WidenRowsBenchmark() {
        super("widen_rows", "rows", LONG);
    }

    @Override
    Inputs inputs(AttentionShape given) {
        return Inputs.of(given, DType.FLOAT16);
    }
}
