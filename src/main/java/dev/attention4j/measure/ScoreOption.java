package dev.attention4j.measure;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.ScoreExpression;
import dev.attention4j.ScoreExpressions;
import dev.attention4j.ScoreParameters;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.function.Function;
import java.util.function.IntToLongFunction;

/** The masks and expressions that a measured attention may have, by the suffix of its shape. */
public enum ScoreOption {
    /** None. */
    NONE,
    /** Keys after the query's own position are masked, aligned top-left as PyTorch's {@code is_causal} is. */
    CAUSAL,
    /** A quarter of the scores of each batch row is masked, by a boolean mask [batch, 1, queryLength, keyLength]. */
    MASK,
    /** {@link ScoreExpressions#ALIBI} with the usual slopes. */
    SCORE_ALIBI(
            ScoreExpressions.ALIBI,
            shape -> ScoreParameters.NONE.with("slope", AttentionBuilder.geometricSlopes(shape.queryHeads()))),
    /** {@link ScoreExpressions#SOFTCAP} at 5. */
    SCORE_SOFTCAP(ScoreExpressions.SOFTCAP, shape -> ScoreParameters.NONE.with("cap", 5.0)),
    /** {@link ScoreExpressions#RELATIVE_BIAS} with T5's 32 buckets. */
    SCORE_RELATIVE_BIAS(ScoreExpressions.RELATIVE_BIAS, shape -> ScoreParameters.NONE
            .with("bias", numbers(32 * shape.queryHeads()), 32, shape.queryHeads())
            .with("bucket", ScoreExpressions.t5Buckets(128, 32, true))
            .with("distance", 128)),
    /** {@link ScoreExpressions#CAUSAL}. */
    MASK_IF_CAUSAL(ScoreExpressions.CAUSAL, shape -> ScoreParameters.NONE),
    /** {@link ScoreExpressions#SLIDING_WINDOW} of 256 keys. */
    MASK_IF_SLIDING_WINDOW(ScoreExpressions.SLIDING_WINDOW, shape -> ScoreParameters.NONE.with("window", 256)),
    /** {@link ScoreExpressions#DOCUMENTS}: 16 of equal length. */
    MASK_IF_DOCUMENTS(
            ScoreExpressions.DOCUMENTS,
            shape -> ScoreParameters.NONE.with("document", ofTokens(shape, n -> 16L * n / tokens(shape)))),
    /** {@link ScoreExpressions#PREFIX} of a quarter of the keys. */
    MASK_IF_PREFIX(ScoreExpressions.PREFIX, shape -> {
        int[] prefix = new int[shape.batch()];
        Arrays.fill(prefix, shape.keyLength() / 4);
        return ScoreParameters.NONE.with("prefix", prefix);
    }),
    /** {@link ScoreExpressions#DILATED_WINDOW}: 64 keys to each side, 2 apart. */
    MASK_IF_DILATED_WINDOW(
            ScoreExpressions.DILATED_WINDOW,
            shape -> ScoreParameters.NONE.with("radius", 64).with("dilation", 2)),
    /** {@link ScoreExpressions#STRIDED} by 64. */
    MASK_IF_STRIDED(ScoreExpressions.STRIDED, shape -> ScoreParameters.NONE.with("stride", 64)),
    /** {@link ScoreExpressions#LONGFORMER}: 64 keys to each side, and one in 512 tokens global. */
    MASK_IF_LONGFORMER(ScoreExpressions.LONGFORMER, shape -> ScoreParameters.NONE
            .with("radius", 64)
            .with("global", ofTokens(shape, n -> n % 512 == 0 ? 1 : 0))),
    /** {@link ScoreExpressions#BIG_BIRD}: blocks of 64 tokens, the first one global, 3 drawn for each. */
    MASK_IF_BIG_BIRD(ScoreExpressions.BIG_BIRD, shape -> {
        int blocks = (tokens(shape) + 63) / 64;
        int[] drawn = new int[blocks * blocks];
        Random random = new Random(1);
        for (int n = 0; n < 3 * blocks; n++) {
            drawn[n / 3 * blocks + random.nextInt(blocks)] = 1;
        }
        return ScoreParameters.NONE.with("block", 64).with("global", 1).with("random", drawn, blocks, blocks);
    }),
    /** {@link ScoreExpressions#NEIGHBOURHOOD} of 13 × 13 in a square image. */
    MASK_IF_NEIGHBOURHOOD(ScoreExpressions.NEIGHBOURHOOD, shape -> ScoreParameters.NONE
            .with("width", (int) Math.ceil(Math.sqrt(tokens(shape))))
            .with("radius", 6)),
    /** {@link ScoreExpressions#TREE}: a binary tree of all queries. */
    MASK_IF_TREE(ScoreExpressions.TREE, shape -> {
        int drafted = shape.queryLength();
        int[] ancestor = new int[drafted * drafted];
        for (int token = 0; token < drafted; token++) {
            for (int above = token + 1; above > 0; above /= 2) {
                ancestor[token * drafted + above - 1] = 1;
            }
        }
        return ScoreParameters.NONE.with("ancestor", ancestor, drafted, drafted);
    });

    @SuppressWarnings("ImmutableEnumChecker") // It is immutable.
    private final ScoreExpression expression;

    @SuppressWarnings("ImmutableEnumChecker") // Of no state.
    private final Function<AttentionShape, ScoreParameters> parameters;

    ScoreOption() {
        this(null, null);
    }

    ScoreOption(ScoreExpression expression, Function<AttentionShape, ScoreParameters> parameters) {
        this.expression = expression;
        this.parameters = parameters;
    }

    /** {@return what follows the sizes of a shape: {@code :causal}, {@code :mask-if-documents} or, for none, nothing} */
    public String suffix() {
        return this == NONE ? "" : ":" + name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** {@return true for a score or mask expression} */
    public boolean isExpression() {
        return expression != null;
    }

    /** {@return true for a mask, or what is added to scores: what a tensor can say as well} */
    public boolean isTensor() {
        return this == MASK
                || this == SCORE_ALIBI
                || this == SCORE_RELATIVE_BIAS
                || (isExpression() && expression.isBoolean());
    }

    /** Adds the expression to an operation; the last query is at the last key. */
    Attention addTo(Attention attention, AttentionShape shape) {
        if (!isExpression()) {
            return attention;
        }
        AttentionBuilder builder = attention.toBuilder().align(Alignment.BOTTOM_RIGHT);
        ScoreParameters values = parameters.apply(shape);
        return expression.isBoolean()
                ? builder.maskIf(expression, values).build()
                : builder.score(expression, values).build();
    }

    private static int tokens(AttentionShape shape) {
        return Math.max(shape.queryLength(), shape.keyLength());
    }

    private static int[] ofTokens(AttentionShape shape, IntToLongFunction number) {
        int[] numbers = new int[tokens(shape)];
        Arrays.setAll(numbers, n -> (int) number.applyAsLong(n));
        return numbers;
    }

    private static float[] numbers(int count) {
        Random random = new Random(2);
        float[] numbers = new float[count];
        for (int n = 0; n < count; n++) {
            numbers[n] = (float) random.nextGaussian();
        }
        return numbers;
    }
}
