package dev.attention4j.spi;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.BlockMask;
import dev.attention4j.Tensor;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The blocks of keys that mask and mask expression hide from tiles of query rows, so that engines skip them: on what a table
 * of them depends. Key ranges are no part of it.
 *
 * <p>Kernels have the table in {@code opencl/fused/block_table.clh}.
 */
public final class HiddenBlocks {
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
     * {@return an object that is equal for problems with the same hidden blocks; empty for a mask whose elements may change from
     * call to call}
     */
    public Optional<Object> key() {
        Optional<BlockMask> kept = problem.attention().blockMask();
        if (mask != null && kept.isEmpty()) {
            return Optional.empty();
        }
        List<Object> key = new ArrayList<>();
        key.add(kept.map(BlockMask::identity).orElse(""));
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
}
