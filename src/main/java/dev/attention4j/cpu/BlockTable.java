package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.spi.HiddenBlocks;
import dev.attention4j.spi.ScoreTerms;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The blocks of keys that mask and mask expression hide from each {@link QueryBlock}. The first thread that computes a block of
 * queries finds them, for all blocks of other heads and batch rows that have the same ones.
 */
final class BlockTable {
    /** Queries times keys from which on it is worth it to look for them. */
    private static final long LEAST_PAIRS = 1 << 13;

    /** Heads that share what is found anew in each call; for fewer the mask itself is read as fast. */
    private static final int LEAST_SHARING_HEADS = 4;

    private final HiddenBlocks hidden;
    private final AtomicReferenceArray<byte[]> found;

    private BlockTable(HiddenBlocks hidden, AtomicReferenceArray<byte[]> found) {
        this.hidden = hidden;
        this.found = found;
    }

    /** The tables of an engine's masks that cannot change; holds no tensor. */
    static final class Kept {
        private static final int MOST = 16;

        /** The least recently used first. */
        private final Map<Object, AtomicReferenceArray<byte[]>> tables = new LinkedHashMap<>(MOST, 0.75f, true);

        private synchronized AtomicReferenceArray<byte[]> get(Object key, int blocks) {
            AtomicReferenceArray<byte[]> found =
                    tables.computeIfAbsent(key, unknown -> new AtomicReferenceArray<>(blocks));
            if (tables.size() > MOST) {
                tables.remove(tables.keySet().iterator().next());
            }
            return found;
        }

        synchronized void clear() {
            tables.clear();
        }
    }

    /** Returns the table of a problem; null where it has none, or looking for them takes longer than it saves. */
    static BlockTable of(AttentionProblem problem, QueryBlock.Cut cut, Kept kept) {
        Optional<HiddenBlocks> present = HiddenBlocks.of(problem);
        if (present.isEmpty()
                || problem.attention().wantsWeights()
                || (long) problem.queryLength() * problem.keyLength() < LEAST_PAIRS) {
            return null;
        }
        HiddenBlocks hidden = present.get();
        int blocks = hidden.differByHead() || hidden.differByBatchRow() ? cut.blocks() : cut.rowBlocks();
        Optional<Object> key = hidden.key();
        if (key.isPresent()) {
            return new BlockTable(hidden, kept.get(List.of(key.get(), cut.shape()), blocks));
        }
        return !hidden.differByHead() && blocks * (long) LEAST_SHARING_HEADS <= cut.blocks()
                ? new BlockTable(hidden, new AtomicReferenceArray<>(blocks))
                : null;
    }

    /** Returns what is hidden from a block of queries; see {@link HiddenBlocks#seen}. */
    byte[] of(QueryBlock lanes, int index, ScoreTerms terms) {
        int at = index % found.length();
        byte[] known = found.get(at);
        if (known == null) {
            known = hidden.find(
                    terms, lanes.batch, lanes.head, lanes.query, lanes.range, lanes.count, KeyBlock.MOST_KEYS);
            found.set(at, known);
        }
        return known;
    }
}
