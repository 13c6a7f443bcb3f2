package dev.attention4j;

import java.util.Arrays;

/**
 * The keys that one query may attend to by causal, window, key lengths, packing and the query mask, before mask and bias.
 * Keys and positions count in the whole key tensor. Kernels have the same type: {@code opencl/common/key_range.clh}.
 *
 * @param begin the first key, 0 to keyLength
 * @param end one past the last key, 0 to keyLength; not above {@code begin} if there is no key
 * @param position the key at which the query stands, for causal, window and ALiBi; negative or beyond the keys is legal
 * @param sequence the batch row, or the number of the packed sequence
 */
public record KeyRange(int begin, int end, int position, int sequence) {
    /**
     * The number of keys.
     *
     * @return 0 or more
     */
    public int count() {
        return Math.max(0, end - begin);
    }

    /**
     * Returns whether a key is one of these.
     *
     * @param key from 0
     * @return true if the query may attend to it
     */
    public boolean contains(int key) {
        return key >= begin && key < end;
    }

    static KeyRange of(AttentionProblem problem, int batchRow, int query) {
        Attention attention = problem.attention();
        int sequence = attention.isPacked() ? packedSequence(attention.packedQueries(), query) : batchRow;
        int queryBegin = attention.isPacked() ? attention.packedQueries()[sequence] : 0;
        int first = keyBegin(problem, sequence);
        int last = keyEnd(problem, sequence);
        int position = first + query - queryBegin + offset(problem, sequence);
        if (!attention.attends(batchRow, query, problem.queryLength())) {
            return new KeyRange(problem.keyLength(), 0, position, sequence);
        }
        int left = attention.windowLeft();
        int right = attention.isCausal() ? 0 : attention.windowRight();
        return new KeyRange(
                left < 0 ? first : clamp((long) position - left, first, last),
                right < 0 ? last : clamp((long) position + right + 1, first, last),
                position,
                sequence);
    }

    /** The position of query 0 of a sequence, counted within the sequence. */
    static int offset(AttentionProblem problem, int sequence) {
        Attention attention = problem.attention();
        if (attention.hasOffsets()) {
            return attention.offsetOf(sequence);
        }
        if (attention.alignment() == Alignment.TOP_LEFT) {
            return 0;
        }
        int queries = attention.isPacked()
                ? attention.packedQueries()[sequence + 1] - attention.packedQueries()[sequence]
                : problem.queryLength();
        return keyEnd(problem, sequence) - keyBegin(problem, sequence) - queries;
    }

    private static int packedSequence(int[] begins, int query) {
        int at = Arrays.binarySearch(begins, query);
        if (at < 0) {
            return -at - 2;
        }
        // Empty sequences begin where the next one does; the query is the last one's.
        while (begins[at + 1] == query) {
            at++;
        }
        return at;
    }

    private static int keyBegin(AttentionProblem problem, int sequence) {
        return problem.attention().isPacked() ? problem.attention().packedKeys()[sequence] : 0;
    }

    private static int keyEnd(AttentionProblem problem, int sequence) {
        return problem.attention().isPacked()
                ? problem.attention().packedKeys()[sequence + 1]
                : problem.attention().keyLengthOf(sequence, problem.keyLength());
    }

    private static int clamp(long key, int first, int last) {
        return (int) Math.max(first, Math.min(last, key));
    }
}
