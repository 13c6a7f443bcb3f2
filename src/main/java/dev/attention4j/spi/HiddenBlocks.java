package dev.attention4j.spi;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.BlockMask;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The blocks of keys that mask and mask expression hide from tiles of query rows, so that engines skip them: on what a table
 * of them depends, and how it is found in Java. Key ranges are no part of it.
 *
 * <p>A table has two bits for each tile and block, {@link #SOME_SEEN} and {@link #SOME_UNSEEN}, and four blocks in a byte, as in
 * {@code opencl/fused/block_table.clh}, which {@code mask_blocks.cl} finds on a device.
 */
public final class HiddenBlocks {
    /** Some query of a tile attends to some key of a block, as far as mask and mask expression go. */
    public static final int SOME_SEEN = 1;

    /** From some query some key is hidden. */
    public static final int SOME_UNSEEN = 2;

    private static final int BLOCKS_OF_BYTE = 4;
    private static final long MOST_KEPT_WORDS = 1 << 22;

    private final AttentionProblem problem;
    private final Expressions expressions;
    private final Tensor mask;

    private HiddenBlocks(AttentionProblem problem) {
        this.problem = problem;
        expressions = problem.attention().expressions();
        mask = problem.attention().mask().orElse(null);
    }

    /** Returns those of a problem; empty if it has neither a mask nor a mask expression. */
    public static Optional<HiddenBlocks> of(AttentionProblem problem) {
        Attention attention = problem.attention();
        return attention.mask().isPresent() || attention.expressions().mask()
                ? Optional.of(new HiddenBlocks(problem))
                : Optional.empty();
    }

    /** {@return true if there is a mask expression} */
    public boolean byExpression() {
        return expressions.mask();
    }

    /** {@return true if batch rows may have other blocks hidden} */
    public boolean differByBatchRow() {
        return expressions.maskReads(Variable.BATCH)
                || (expressions.maskReads(Variable.POSITION) && offsetsDiffer())
                || maskHas(4);
    }

    /** {@return true if heads may have other blocks hidden} */
    public boolean differByHead() {
        return expressions.maskReads(Variable.HEAD) || expressions.maskReads(Variable.KEY_VALUE_HEAD) || maskHas(3);
    }

    /** Returns whether the mask has this many axes, and is not repeated along the first of them. */
    private boolean maskHas(int axes) {
        return mask != null && mask.rank() >= axes && mask.size(-axes) > 1;
    }

    private boolean offsetsDiffer() {
        Attention attention = problem.attention();
        return attention.offsets().length > 1 || attention.keyLengths().length > 1 || attention.isPacked();
    }

    /**
     * {@return true if a table may be kept for later calls: not of a mask whose elements may change from call to call, nor of an
     * expression with so large tables that they should not be kept for its sake}
     */
    public boolean mayBeKept() {
        return (mask == null || ofBlockMask().isPresent()) && expressions.maskWords() <= MOST_KEPT_WORDS;
    }

    /** Returns the block mask that the mask is of. */
    private Optional<BlockMask> ofBlockMask() {
        return problem.attention().blockMask().filter(given -> given.mask().isPresent());
    }

    /** {@return an object that is equal for problems with the same hidden blocks; empty unless they {@link #mayBeKept}} */
    public Optional<Object> key() {
        if (!mayBeKept()) {
            return Optional.empty();
        }
        List<Object> key = new ArrayList<>();
        key.add(ofBlockMask().map(BlockMask::identity).orElse(""));
        key.add(expressions.maskKey());
        key.add(expressions.place(problem.queryLength(), problem.keyLength()));
        key.add(List.of(
                problem.batch(),
                problem.queryHeads(),
                problem.keyValueHeads(),
                problem.queryLength(),
                problem.keyLength()));
        if (expressions.maskReads(Variable.POSITION)) {
            key.add(positions());
        }
        return Optional.of(key);
    }

    private Object positions() {
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return 0;
        }
        if (!offsetsDiffer()) {
            return problem.offset(0);
        }
        int[] positions = new int[problem.batch() * problem.queryLength()];
        for (int row = 0; row < positions.length; row++) {
            positions[row] = problem.keyRange(row / problem.queryLength(), row % problem.queryLength())
                    .position();
        }
        return IntBuffer.wrap(positions);
    }

    /**
     * Finds the bits of one tile of rows of a batch row.
     *
     * @param heads of each row
     * @param queries of each row
     * @param ranges the key ranges of the rows, for their positions
     * @param rows how many there are
     */
    public byte[] find(
            ScoreTerms terms, int batch, int[] heads, int[] queries, KeyRange[] ranges, int rows, int blockKeys) {
        int blocks = (problem.keyLength() + blockKeys - 1) / blockKeys;
        int[] byMask = new int[blocks];
        int[] byExpression = new int[blocks];
        for (int row = 0; row < rows; row++) {
            if (heads[row] == heads[0] || differByHead()) {
                terms.classify(batch, heads[row], queries[row], ranges[row], blockKeys, byMask, byExpression);
            }
        }
        byte[] found = new byte[(blocks + BLOCKS_OF_BYTE - 1) / BLOCKS_OF_BYTE];
        for (int block = 0; block < blocks; block++) {
            int mask = this.mask == null ? SOME_SEEN : byMask[block];
            int expression = byExpression() ? byExpression[block] : SOME_SEEN;
            int bits = (mask & expression & SOME_SEEN) | ((mask | expression) & SOME_UNSEEN);
            int at = block / BLOCKS_OF_BYTE;
            found[at] = (byte) (found[at] | (bits << (2 * (block % BLOCKS_OF_BYTE))));
        }
        return found;
    }

    /** Returns what the bits of a tile say of some keys, which may be parts of several blocks. */
    public static int seen(byte[] found, int blockKeys, int firstKey, int keys) {
        int seen = 0;
        for (int block = firstKey / blockKeys; block * blockKeys < firstKey + keys; block++) {
            seen |= found[block / BLOCKS_OF_BYTE] >> (2 * (block % BLOCKS_OF_BYTE));
        }
        return seen & (SOME_SEEN | SOME_UNSEEN);
    }
}
