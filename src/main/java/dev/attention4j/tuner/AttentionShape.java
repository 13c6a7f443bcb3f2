package dev.attention4j.tuner;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;

/**
 * An attention to tune for: {@link AttentionSizes}, with {@code :causal} (aligned top-left) behind them or not.
 *
 * @param sizes of its tensors
 * @param causal whether later keys are masked
 */
public record AttentionShape(AttentionSizes sizes, boolean causal) implements TuningShape {
    private static final String CAUSAL = ":causal";
    private static final String FORM = "B.Hq.Hkv.Lq.Lk.D[.Dv] with or without :causal, such as"
            + " 1.8.8.1024.1024.64:causal, or gemm:rows.in.out";

    static AttentionShape parse(String text) {
        boolean causal = text.endsWith(CAUSAL);
        String sizes = causal ? text.substring(0, text.length() - CAUSAL.length()) : text;
        return new AttentionShape(AttentionSizes.parse(text, sizes, FORM), causal);
    }

    /**
     * The problem with a storage type.
     *
     * @param dtype how query, key and value are stored
     * @return what is computed
     */
    public AttentionProblem problem(DType dtype) {
        Attention attention =
                causal ? Attention.builder().causal(Alignment.TOP_LEFT).build() : Attention.DEFAULT;
        return sizes.problem(dtype, attention);
    }

    @Override
    public ProblemClass problems(DType dtype) {
        return ProblemClass.of(problem(dtype));
    }

    @Override
    public double flops() {
        return problem(DType.FLOAT32).flops();
    }

    /** As it is written in a list. */
    @Override
    public String toString() {
        return sizes + (causal ? CAUSAL : "");
    }
}
