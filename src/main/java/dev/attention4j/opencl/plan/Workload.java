package dev.attention4j.opencl.plan;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.StorageTypes;

/**
 * All that a plan for attention may decide by. Plans get nothing else to choose from, and the planner keeps its answers
 * by it, so that none is given for another problem.
 *
 * @param causal true if later keys are masked
 * @param masked true if there is a mask, a bias or a mask expression
 * @param expressions the signature of score and mask expression, which are built into kernels; empty if there are none
 * @param paged true if keys and values lie in pages
 * @param onHost true if all tensors of the call are in host memory
 */
public record Workload(
        int batch,
        int queryHeads,
        int keyValueHeads,
        int queryLength,
        int keyLength,
        int headDim,
        int valueDim,
        StorageTypes storage,
        boolean causal,
        boolean masked,
        String expressions,
        boolean paged,
        boolean wantsWeights,
        boolean onHost) {
    /** Returns the workload of a problem. */
    public static Workload of(AttentionProblem problem, boolean onHost) {
        Attention attention = problem.attention();
        return new Workload(
                problem.batch(),
                problem.queryHeads(),
                problem.keyValueHeads(),
                problem.queryLength(),
                problem.keyLength(),
                problem.headDim(),
                problem.valueDim(),
                problem.storage(),
                attention.isCausal(),
                attention.mask().isPresent()
                        || attention.bias().isPresent()
                        || attention.expressions().mask(),
                attention.expressions().signature(),
                attention.pageTable().isPresent(),
                attention.wantsWeights(),
                onHost);
    }

    /** The record's own would be made at run time, which takes a hundredth of a second of a first call. */
    @Override
    public int hashCode() {
        return ((batch * 31 + queryHeads) * 31 + queryLength) * 31 + keyLength;
    }

    /** The query heads that share a key/value head. */
    public int group() {
        return queryHeads / keyValueHeads;
    }

    /** The rows of query and output, of all heads. */
    public long rows() {
        return (long) batch * queryHeads * queryLength;
    }
}
