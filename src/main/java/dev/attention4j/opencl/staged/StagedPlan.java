package dev.attention4j.opencl.staged;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.Optional;

/**
 * Scores, scale and mask, softmax, weighted sum: each step a kernel over a matrix of scores in memory.
 *
 * <p>The scores of the whole problem need not fit: blocks of slices are walked, and of one slice blocks of queries.
 * Only if the weights are wanted must they fit, because they are the result.
 */
public final class StagedPlan implements Plan {
    /** The name of this plan. */
    public static final String NAME = "staged";

    /** Scores that stay in a CPU's last-level cache are read back from there by the next kernel. */
    private static final long CPU_SCRATCH_BYTES = 32L << 20;

    private static final long GPU_SCRATCH_BYTES = 1L << 30;

    private static final int LEAST_BLOCK_QUERIES = 64;

    /** Grids are at most 65535 work-groups along y and z on NVIDIA. */
    private static final int MOST_GROUPS = 32768;

    private final DeviceContext context;
    private final Scores scores;
    private final ScaleMask scaleMask;
    private final Softmax softmax;
    private final WeightedSum weightedSum;
    private final Unmark unmark;

    /**
     * The plan on one device.
     *
     * @param context open
     */
    public StagedPlan(DeviceContext context) {
        this.context = context;
        scores = new Scores(context);
        scaleMask = new ScaleMask(context);
        softmax = new Softmax(context);
        weightedSum = new WeightedSum(context);
        unmark = new Unmark(context);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> refusal(AttentionProblem problem) {
        return Optional.empty();
    }

    @Override
    public long loopIterations(AttentionProblem problem, Tunables tunables) {
        long products = ProductTiling.candidates(context.device()).stream()
                .mapToLong(tiling -> tiling.loopIterations(Math.max(problem.headDim(), problem.keyLength())))
                .max()
                .orElseThrow();
        return Math.max(products, softmax.loopIterations(problem.keyLength()));
    }

    @Override
    public String describe(AttentionProblem problem, Tunables tunables) {
        return "four kernels, " + ProductTiling.candidates(context.device()).get(0) + ", scores of up to "
                + (defaultScratch() >> 20) + " MiB at a time";
    }

    /** A few rows of scores, that work-items need not idle; one where that is all there is. */
    @Override
    public long leastScratchBytes(AttentionProblem problem) {
        return problem.attention().wantsWeights()
                ? 0
                : rowBytes(problem) * Math.min(LEAST_BLOCK_QUERIES, problem.queryLength());
    }

    private static long rowBytes(AttentionProblem problem) {
        return Math.max(1L, 4L * problem.keyLength());
    }

    @Override
    public void enqueue(DeviceCall call) {
        AttentionProblem problem = call.problem();
        int slices = Math.multiplyExact(problem.batch(), problem.queryHeads());
        int queries = problem.queryLength();
        if (slices == 0 || queries == 0) {
            return;
        }
        long rowBytes = rowBytes(problem);
        boolean keep = call.weights() != null;
        long budget = keep ? Long.MAX_VALUE : call.scratchBudget(defaultScratch());
        int blockQueries = blockQueries(rowBytes, queries, budget);
        int blockSlices = blockQueries < queries
                ? 1
                : (int) Math.max(1, Math.min(Math.min(slices, MOST_GROUPS), budget / rowBytes / queries));
        ClBuffer memory = keep ? call.weights() : call.scratch().apply(rowBytes * blockQueries * blockSlices);
        for (int slice = 0; slice < slices; slice += blockSlices) {
            int slicesHere = Math.min(blockSlices, slices - slice);
            for (int query = 0; query < queries; query += blockQueries) {
                long offset = keep ? ((long) slice * queries + query) * problem.keyLength() : 0;
                int queriesHere = Math.min(blockQueries, queries - query);
                enqueue(new Block(call, memory, offset, slice, slicesHere, query, queriesHere));
            }
        }
    }

    private void enqueue(Block block) {
        scores.enqueue(block);
        scaleMask.enqueue(block);
        softmax.enqueue(block);
        weightedSum.enqueue(block);
        if (block.call().weights() != null && WeightedSum.skipsMasked(block.call())) {
            unmark.enqueue(block);
        }
    }

    private static int blockQueries(long rowBytes, int queries, long budget) {
        if (rowBytes > budget) {
            throw new DeviceException("the scores of one query need " + rowBytes + " bytes, but at most " + budget
                    + " may be used for them: fewer keys, or a larger EngineOptions.maxScratchBytes");
        }
        long most = Math.min(Math.min(queries, MOST_GROUPS), budget / rowBytes);
        // Whole tiles, or the last rows of each block would leave work-items idle.
        return (int)
                (most < queries && most > LEAST_BLOCK_QUERIES
                        ? most / LEAST_BLOCK_QUERIES * LEAST_BLOCK_QUERIES
                        : most);
    }

    private long defaultScratch() {
        ClDevice device = context.device();
        long wanted = device.type() == ClDevice.Type.CPU ? CPU_SCRATCH_BYTES : GPU_SCRATCH_BYTES;
        return Math.min(wanted, Math.min(device.largestAllocationBytes(), device.globalMemoryBytes() / 4));
    }
}
