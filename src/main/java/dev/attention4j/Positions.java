package dev.attention4j;

import java.util.Arrays;

/**
 * Where queries stand among the keys and which keys they may see by that: causal, window, key lengths and packing in
 * one place.
 *
 * <p>A sequence is a batch row, or one of the packed sequences of the only batch row. Query and key numbers count in
 * the whole tensors; only offsets count within a sequence.
 */
final class Positions {
    private Positions() {}

    static int sequence(AttentionProblem problem, int batchRow, int query) {
        if (!problem.attention().isPacked()) {
            return batchRow;
        }
        int[] begins = problem.attention().packedQueries();
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

    static int position(AttentionProblem problem, int sequence, int query) {
        Attention attention = problem.attention();
        int queryBegin = attention.isPacked() ? attention.packedQueries()[sequence] : 0;
        return keyBegin(problem, sequence) + query - queryBegin + offset(problem, sequence);
    }

    static int firstKey(AttentionProblem problem, int sequence, int query) {
        int left = problem.attention().windowLeft();
        if (left < 0) {
            return keyBegin(problem, sequence);
        }
        return clampToKeys(problem, sequence, (long) position(problem, sequence, query) - left);
    }

    static int endKey(AttentionProblem problem, int sequence, int query) {
        int right = problem.attention().isCausal() ? 0 : problem.attention().windowRight();
        if (right < 0) {
            return keyEnd(problem, sequence);
        }
        return clampToKeys(problem, sequence, (long) position(problem, sequence, query) + right + 1);
    }

    private static int keyBegin(AttentionProblem problem, int sequence) {
        return problem.attention().isPacked() ? problem.attention().packedKeys()[sequence] : 0;
    }

    private static int keyEnd(AttentionProblem problem, int sequence) {
        return problem.attention().isPacked()
                ? problem.attention().packedKeys()[sequence + 1]
                : problem.attention().keyLengthOf(sequence, problem.keyLength());
    }

    private static int clampToKeys(AttentionProblem problem, int sequence, long key) {
        return (int) Math.max(keyBegin(problem, sequence), Math.min(keyEnd(problem, sequence), key));
    }

    /** Checks an operation's offsets, lengths, slopes and sinks against the shapes. */
    static void check(Attention attention, int batch, int queryHeads, int queryLength, int keyLength) {
        boolean packed = attention.isPacked();
        int sequences = packed ? attention.packedQueries().length - 1 : batch;
        String each = sequences + (packed ? " packed sequences" : " batch rows");
        if (packed) {
            checkPacked(attention, batch, queryLength, keyLength);
        }
        int offsets = attention.offsets().length;
        if (offsets > 1 && offsets != sequences) {
            throw new IllegalArgumentException(
                    "offsets: " + offsets + " given, must be 1 or one for each of the " + each);
        }
        for (int offset : attention.offsets()) {
            // Positions must be integers of 32 bits, with packed keys before them.
            if ((long) offset + queryLength > 2L * AttentionProblem.MAX_LENGTH) {
                throw new IllegalArgumentException("offsets: " + offset + ", must be at most "
                        + (2L * AttentionProblem.MAX_LENGTH - queryLength) + " for " + queryLength + " queries");
            }
        }
        attention.queryMask().ifPresent(mask -> {
            if (mask.size(0) != batch || mask.size(1) != queryLength) {
                throw new IllegalArgumentException("queryMask: shape " + Shapes.text(mask.shape())
                        + ", must be [batch, queryLength] = [" + batch + ", " + queryLength + "]");
            }
        });
        int[] lengths = attention.keyLengths();
        if (lengths.length > 1 && lengths.length != batch) {
            throw new IllegalArgumentException(
                    "keyLengths: " + lengths.length + " given, must be 1 or one for each of the " + each);
        }
        for (int length : lengths) {
            if (length > keyLength) {
                throw new IllegalArgumentException(
                        "keyLengths: " + length + ", must be at most the " + keyLength + " keys there are");
            }
        }
        int slopes = attention.slopes().length;
        if (slopes > 0 && slopes != queryHeads && slopes != (long) sequences * queryHeads) {
            throw new IllegalArgumentException("alibiSlopes: " + slopes + " given, must be one for each of the "
                    + queryHeads + " query heads, or for each of them in each of the " + each);
        }
        int sinks = attention.sinkLogits().length;
        if (sinks > 0 && sinks != queryHeads) {
            throw new IllegalArgumentException(
                    "sinks: " + sinks + " given, must be one for each of the " + queryHeads + " query heads");
        }
    }

    private static void checkPacked(Attention attention, int batch, int queryLength, int keyLength) {
        if (batch != 1) {
            throw new IllegalArgumentException(
                    "cumulativeLengths: given with " + batch + " batch rows, must be 1 that holds all sequences");
        }
        if (attention.keyLengths().length > 0) {
            throw new IllegalArgumentException(
                    "keyLengths: given with cumulativeLengths, must be left out: those say how long each sequence is");
        }
        checkEnd("queries", attention.packedQueries(), queryLength);
        checkEnd("keys", attention.packedKeys(), keyLength);
    }

    private static void checkEnd(String name, int[] lengths, int length) {
        int end = lengths[lengths.length - 1];
        if (end != length) {
            throw new IllegalArgumentException("cumulativeLengths: " + name + " end at " + end + ", must end at "
                    + length + ", the length of " + (name.equals("keys") ? "key and value" : "query"));
        }
    }
}
