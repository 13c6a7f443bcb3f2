package dev.attention4j;

import java.util.Arrays;

/**
 * The keys that one query may attend to by causal, window, key lengths, packing and the query mask, before mask and bias.
 * Keys and positions count in the whole key tensor. Kernels have the same type: {@code opencl/common/key_range.clh}.
 *
 * @param begin the first key, 0 to keyLength
 * @param end one past the last key, 0 to keyLength; not above {@code begin} if there is no key
 * @param position the query's position among the keys; may be negative or after the keys
 * @param sequence the batch row, or the number of the packed sequence
 */
public record KeyRange(int begin, int end, int position, int sequence) {
    /** {@return the number of keys} */
    public int count() {
        return Math.max(0, end - begin);
    }

    /**
     * {@return true if the query may attend to a key}
     */
    public boolean contains(int key) {
        return key >= begin && key < end;
    }

    static KeyRange of(AttentionProblem problem, int batchRow, int query) {
        AttentionBuilder.Options options = problem.attention().options;
        boolean packed = problem.attention().isPacked();
        int sequence = packed ? packedSequence(options.cumulativeQueryLengths, query) : batchRow;
        int queryBegin = packed ? options.cumulativeQueryLengths[sequence] : 0;
        int first = packed ? options.cumulativeKeyLengths[sequence] : 0;
        int last = first + keyLength(problem, sequence);
        int position = first + query - queryBegin + offset(problem, sequence);
        if (!problem.attention().attends(batchRow, query, problem.queryLength())) {
            return new KeyRange(problem.keyLength(), 0, position, sequence);
        }
        int left = options.windowLeft;
        int right = options.causal ? 0 : options.windowRight;
        return new KeyRange(
                left < 0 ? first : clamp((long) position - left, first, last),
                right < 0 ? last : clamp((long) position + right + 1, first, last),
                position,
                sequence);
    }

    private static int packedSequence(int[] begins, int query) {
        int at = Arrays.binarySearch(begins, query);
        if (at < 0) {
            return -at - 2;
        }
        // Empty sequences begin at the start of the next one; the query belongs to the last of them.
        while (begins[at + 1] == query) {
            at++;
        }
        return at;
    }

    /** Returns the position of query 0 of a sequence, counted within the sequence. */
    static int offset(AttentionProblem problem, int sequence) {
        AttentionBuilder.Options options = problem.attention().options;
        if (options.offsets.length > 0) {
            return options.offsets[options.offsets.length == 1 ? 0 : sequence];
        }
        if (options.alignment == Alignment.TOP_LEFT) {
            return 0;
        }
        int[] begins = options.cumulativeQueryLengths;
        return keyLength(problem, sequence)
                - (begins.length > 0 ? begins[sequence + 1] - begins[sequence] : problem.queryLength());
    }

    /** Returns the number of keys of a sequence, without padding. */
    static int keyLength(AttentionProblem problem, int sequence) {
        AttentionBuilder.Options options = problem.attention().options;
        int[] begins = options.cumulativeKeyLengths;
        if (begins.length > 0) {
            return begins[sequence + 1] - begins[sequence];
        }
        int[] lengths = options.keyLengths;
        return lengths.length == 0 ? problem.keyLength() : lengths[lengths.length == 1 ? 0 : sequence];
    }

    /** Returns the number of keys of a batch row, of all packed sequences together. */
    public static int rowKeyLength(AttentionProblem problem, int batchRow) {
        return problem.attention().isPacked() ? problem.keyLength() : keyLength(problem, batchRow);
    }

    private static int clamp(long key, int first, int last) {
        return (int) Math.max(first, Math.min(last, key));
    }
}
