package dev.attention4j;

import java.util.stream.IntStream;

/**
 * Score and mask expressions that models use, ready made. Each constant names the parameters that it reads; masks are joined by
 * {@link ScoreExpression#and} and {@link ScoreExpression#or}: {@code DOCUMENTS.and(CAUSAL)}.
 */
public final class ScoreExpressions {
    /** {@code key <= position}: no key after the query's position. */
    public static final ScoreExpression CAUSAL = ScoreExpression.parse("key <= position");

    /** {@code key <= position && position - key < window}: the {@code window} keys up to the query's own (Mistral). */
    public static final ScoreExpression SLIDING_WINDOW =
            ScoreExpression.parse("key <= position && position - key < window");

    /**
     * {@code document[query] == document[key]}: documents that are packed into one sequence; {@code document} is an int for each
     * token.
     */
    public static final ScoreExpression DOCUMENTS = ScoreExpression.parse("document[query] == document[key]");

    /**
     * {@code key <= position || key < prefix[batch]}: causal but for a prefix, which all attend to (PrefixLM, T5); {@code prefix}
     * is its length for each batch row.
     */
    public static final ScoreExpression PREFIX = ScoreExpression.parse("key <= position || key < prefix[batch]");

    /**
     * {@code abs(position - key) <= dilation * radius && (position - key) % dilation == 0}: {@code radius} keys to each side,
     * {@code dilation} apart (Longformer's dilated window).
     */
    public static final ScoreExpression DILATED_WINDOW =
            ScoreExpression.parse("abs(position - key) <= dilation * radius && (position - key) % dilation == 0");

    /**
     * {@code key <= position && (position - key < stride || (position - key) % stride == 0)}: the last {@code stride} keys, and
     * each {@code stride}-th before (Sparse Transformer).
     */
    public static final ScoreExpression STRIDED =
            ScoreExpression.parse("key <= position && (position - key < stride || (position - key) % stride == 0)");

    /**
     * {@code abs(position - key) <= radius || global[query] != 0 || global[key] != 0}: a window, and tokens that see all and are
     * seen by all (Longformer); {@code global} is 1 or true for these.
     */
    public static final ScoreExpression LONGFORMER =
            ScoreExpression.parse("abs(position - key) <= radius || global[query] != 0 || global[key] != 0");

    /**
     * {@code abs(query / block - key / block) <= 1 || query / block < global || key / block < global || random[query / block][key
     * / block] != 0}: blocks of {@code block} tokens, next to each other, among the first {@code global}, or drawn (BigBird);
     * {@code random} is 1 or true for the pairs of blocks that were drawn.
     */
    public static final ScoreExpression BIG_BIRD = ScoreExpression.parse(
            "abs(query / block - key / block) <= 1 || query / block < global || key / block < global"
                    + " || random[query / block][key / block] != 0");

    /**
     * {@code key < keyLength - queryLength || ancestor[query][key - (keyLength - queryLength)] != 0}: the tree of drafted tokens
     * of speculative decoding, after all earlier keys; {@code ancestor} is 1 or true for each token's ancestors and itself.
     */
    public static final ScoreExpression TREE = ScoreExpression.parse(
            "key < keyLength - queryLength || ancestor[query][key - (keyLength - queryLength)] != 0");

    /**
     * {@code abs(query / width - key / width) <= radius && abs(query % width - key % width) <= radius}: neighbours in an image
     * whose rows are {@code width} tokens (neighbourhood attention, NATTEN).
     */
    public static final ScoreExpression NEIGHBOURHOOD = ScoreExpression.parse(
            "abs(query / width - key / width) <= radius && abs(query % width - key % width) <= radius");

    /** {@code score - slope[head] * abs(position - key)}: {@link AttentionBuilder#alibiSlopes ALiBi}, a slope for each head. */
    public static final ScoreExpression ALIBI = ScoreExpression.parse("score - slope[head] * abs(position - key)");

    /** {@code cap * tanh(score / cap)}: {@link AttentionBuilder#softcap softcap}. */
    public static final ScoreExpression SOFTCAP = ScoreExpression.parse("cap * tanh(score / cap)");

    /**
     * {@code score + bias[bucket[clamp(key - position, -distance, distance) + distance]][head]}: T5's relative position bias;
     * {@code bias} is a float for each bucket and head, {@code bucket} from {@link #t5Buckets}.
     */
    public static final ScoreExpression RELATIVE_BIAS =
            ScoreExpression.parse("score + bias[bucket[clamp(key - position, -distance, distance) + distance]][head]");

    private ScoreExpressions() {}

    /**
     * Returns the bucket of each distance key − query from −distance to distance (Raffel et al., "Exploring the Limits of Transfer
     * Learning", 2020): half of the buckets for short distances, one each, the others for logarithmically more.
     *
     * @param distance from which on all keys have one bucket: 128 in T5
     * @param buckets the number of buckets: 32 in T5
     * @param bidirectional true in encoders, where half of the buckets are for keys after the query; false in decoders
     */
    public static int[] t5Buckets(int distance, int buckets, boolean bidirectional) {
        int ofSide = bidirectional ? buckets / 2 : buckets;
        int exact = ofSide / 2;
        if (exact < 1 || distance <= exact) {
            throw new IllegalArgumentException("buckets: " + buckets + " for distances up to " + distance
                    + ", must be at least " + (bidirectional ? 4 : 2) + ", and fewer than the distances");
        }
        return IntStream.rangeClosed(-distance, distance)
                .map(relative -> {
                    int first = bidirectional && relative > 0 ? ofSide : 0;
                    int length = bidirectional ? Math.abs(relative) : Math.max(0, -relative);
                    if (length < exact) {
                        return first + length;
                    }
                    double share = Math.log((double) length / exact) / Math.log((double) distance / exact);
                    return first + Math.min(ofSide - 1, exact + (int) (share * (ofSide - exact)));
                })
                .toArray();
    }
}
