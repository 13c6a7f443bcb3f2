package dev.attention4j;

import java.util.Arrays;
import java.util.Optional;

/**
 * A mask that is made once and passed to many calls of {@link AttentionBuilder#blockMask}: a boolean mask, or a mask
 * expression, for given lengths. An engine finds at its first call which blocks of keys no query of a tile attends to, and which
 * all attend to. This and later calls skip the former and do not test the latter; results have the same bits as with the mask
 * itself.
 *
 * <p>An engine finds the same for each mask expression that it is given by {@link AttentionBuilder#maskIf}, and keeps it for
 * expression, parameters and lengths; so a block mask saves time where the mask is a tensor, whose elements an engine otherwise
 * reads anew in each call.
 *
 * <p>What an engine keeps takes queryLength · keyLength ÷ (tile · block) ÷ 4 bytes for each batch row and head that the mask
 * depends on: with tiles of 64 queries and blocks of 48 keys, 5.5 kB for 8,192 queries and keys. It keeps those of the last 16
 * masks while it has memory for them.
 *
 * <p>Immutable; may be used by several engines.
 */
public final class BlockMask {
    private final int queryLength;
    private final int keyLength;
    /** Null for a mask expression. */
    private final Tensor mask;
    /** Null for a boolean mask. */
    private final ScoreExpression expression;

    private final ScoreParameters parameters;
    private final Object identity = new Object();

    private BlockMask(
            long queryLength, long keyLength, Tensor mask, ScoreExpression expression, ScoreParameters parameters) {
        this.queryLength = checkLength("queryLength", queryLength);
        this.keyLength = checkLength("keyLength", keyLength);
        this.mask = mask;
        this.expression = expression;
        this.parameters = parameters;
    }

    private static int checkLength(String name, long length) {
        if (length < 0 || length > AttentionProblem.MAX_LENGTH) {
            throw new IllegalArgumentException(name + ": " + length + ", must be 0 to " + AttentionProblem.MAX_LENGTH);
        }
        return (int) length;
    }

    /**
     * Makes one of a boolean mask, true = attend.
     *
     * @param mask BOOL, [queryLength, keyLength] with up to two axes before that are broadcast, right-aligned, to [batch, heads];
     *     on the host or on the device of the engine that is to use it. It is not copied: its elements must not change from now
     *     on
     * @throws IllegalArgumentException if it is not BOOL, or has not two to four axes
     */
    public static BlockMask of(Tensor mask) {
        if (mask == null || mask.dtype() != DType.BOOL || mask.rank() < 2 || mask.rank() > 4) {
            throw new IllegalArgumentException("mask: "
                    + (mask == null ? "null" : mask.dtype() + " of shape " + Arrays.toString(mask.shape()))
                    + ", must be BOOL (true = attend) of 2 to 4 axes [batch, heads, queryLength, keyLength]");
        }
        return new BlockMask(mask.size(-2), mask.size(-1), mask, null, ScoreParameters.NONE);
    }

    /**
     * Makes one of a mask expression.
     *
     * @param expression as for {@link AttentionBuilder#maskIf(ScoreExpression, ScoreParameters)}
     * @param parameters the value of each name that it reads, and of no other
     * @param queryLength the rows of the calls' query
     * @param keyLength the rows of the calls' key and value
     * @throws IllegalArgumentException if it is a number or reads the score, or the parameters do not fit
     */
    public static BlockMask of(ScoreExpression expression, ScoreParameters parameters, int queryLength, int keyLength) {
        if (expression == null) {
            throw new IllegalArgumentException("expression: null, must be a boolean");
        }
        Attention.builder().maskIf(expression, parameters);
        return new BlockMask(queryLength, keyLength, null, expression, parameters);
    }

    /**
     * Makes one of a mask expression, as {@link #of(ScoreExpression, ScoreParameters, int, int)}.
     *
     * @param expression as {@link ScoreExpression#parse}
     * @throws IllegalArgumentException if it is no expression, a number or reads the score, or the parameters do not fit
     */
    public static BlockMask of(String expression, ScoreParameters parameters, int queryLength, int keyLength) {
        return of(ScoreExpression.parse(expression), parameters, queryLength, keyLength);
    }

    /** {@return the rows of query that a call must have} */
    public int queryLength() {
        return queryLength;
    }

    /** {@return the rows of key and value that a call must have} */
    public int keyLength() {
        return keyLength;
    }

    /** {@return the boolean mask; empty if it was made of an expression} */
    public Optional<Tensor> mask() {
        return Optional.ofNullable(mask);
    }

    /** {@return the mask expression; empty if it was made of a boolean mask} */
    public Optional<ScoreExpression> expression() {
        return Optional.ofNullable(expression);
    }

    ScoreParameters parameters() {
        return parameters;
    }

    /** {@return an object that no other block mask has, and that holds nothing; for those who write engines} */
    public Object identity() {
        return identity;
    }

    /** Refuses other lengths. */
    void check(int queries, int keys) {
        if (queries != queryLength || keys != keyLength) {
            throw new IllegalArgumentException("blockMask: made for " + queryLength + " queries and " + keyLength
                    + " keys, must be made for the " + queries + " queries and " + keys + " keys of this call");
        }
    }

    @Override
    public String toString() {
        return "BlockMask[" + queryLength + " x " + keyLength + ", "
                + (mask == null ? expression : Arrays.toString(mask.shape())) + "]";
    }
}
