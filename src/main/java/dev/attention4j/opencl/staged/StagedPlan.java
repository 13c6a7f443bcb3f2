package dev.attention4j.opencl.staged;

import static dev.attention4j.opencl.plan.CommonMacros.storage;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Division;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.Map;
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

    /** Queries and keys of a head up to which small tiles take less time than what large ones compute for nothing. */
    private static final int SHORT_QUERIES = 16;

    private static final int SHORT_KEYS = 32;

    /** Work-items of a work-group of the kernels that work element by element. */
    private static final int GROUP_ITEMS = 64;

    /** Grids are at most 65535 work-groups along y and z on NVIDIA. */
    private static final int MOST_GROUPS = 32768;

    private final DeviceContext context;
    private final Softmax softmax;

    /**
     * The plan on one device.
     *
     * @param context open
     */
    public StagedPlan(DeviceContext context) {
        this.context = context;
        softmax = new Softmax(context);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> whyNot(AttentionProblem problem) {
        return Optional.empty();
    }

    @Override
    public String describe(AttentionProblem problem, Tunables tunables) {
        return "four kernels, " + tiling(hasShortHeads(problem.keyLength(), problem.queryLength()))
                + ", scores of up to " + (defaultScratch() >> 20) + " MiB at a time";
    }

    /** Rows of a tile, that work-items need not idle; of long rows fewer, as many as fit the usual scratch memory, or one. */
    @Override
    public Division division(AttentionProblem problem, Tunables tunables, long maxScratchBytes) {
        // Smaller tilings, for kernels that cannot be launched with the largest, divide it.
        boolean shortHeads = hasShortHeads(problem.keyLength(), problem.queryLength());
        int tileRows = shortHeads ? SHORT_QUERIES : tiling(false).tileRows();
        if (problem.attention().wantsWeights()) {
            return Division.ofHeads(tileRows);
        }
        long rowBytes = rowBytes(problem);
        if (maxScratchBytes > 0 && rowBytes > maxScratchBytes) {
            throw new DeviceException("the scores of one query need " + rowBytes + " bytes, but at most "
                    + maxScratchBytes
                    + " may be used for them: fewer keys, or a larger EngineOptions.maxScratchBytes");
        }
        long budget = maxScratchBytes > 0 ? maxScratchBytes : defaultScratch();
        return Division.ofHeads((int) Math.max(1, Math.min(tileRows, budget / rowBytes)));
    }

    @Override
    public long leastScratchBytes(AttentionProblem problem, Division division) {
        return problem.attention().wantsWeights()
                ? 0
                : rowBytes(problem) * Math.min(division.groupRows(), problem.queryLength());
    }

    static boolean hasShortHeads(int keys, int queries) {
        return queries <= SHORT_QUERIES && keys <= SHORT_KEYS;
    }

    private ProductTiling tiling(boolean shortHeads) {
        return ProductTiling.candidates(context.device(), shortHeads).get(0);
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
        int blockQueries = blockQueries(call, budget / rowBytes);
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
        DType dtype = block.call().problem().dtype();
        boolean masks = block.call().masksScores();
        if (block.keys() > 0) {
            ProductKernel.build(
                            context,
                            block.hasShortHeads(),
                            "scores",
                            "KEYS",
                            "DIM_SLICE",
                            Map.of("STORAGE", storage(dtype)))
                    .launch(context, block, block.keys());
            enqueueElements(
                    "scale_mask", block, Map.of("FIXED_OPTIONS", block.call().scoreOptions()));
        }
        softmax.enqueue(block);
        Map<String, Object> defines = new HashMap<>();
        defines.put("STORAGE", storage(dtype));
        if (masks) {
            defines.put("SKIP_MASKED", 1);
        }
        ProductKernel.build(context, block.hasShortHeads(), "weighted_sum", "DIMS", "KEY_SLICE", defines)
                .launch(context, block, block.call().problem().valueDim());
        if (masks && block.call().weights() != null && block.keys() > 0) {
            enqueueElements("unmark", block, Map.of());
        }
    }

    /** Launches a kernel with a work-item for each element of the scores or weights. */
    private void enqueueElements(String name, Block block, Map<String, Object> options) {
        Map<String, Object> defines = new HashMap<>(options);
        defines.put("GROUP_ITEMS", GROUP_ITEMS);
        ClKernel kernel = context.kernel("staged/" + name + ".cl", name, defines);
        block.setArguments(kernel);
        long[] global = {Block.ceilDiv(block.keys(), GROUP_ITEMS) * GROUP_ITEMS, block.queries(), block.heads()};
        context.queue().launch(kernel, global, new long[] {GROUP_ITEMS, 1, 1});
    }

    /** Whole groups of the division, in which rows have the same bits however many groups a block has. */
    private static int blockQueries(DeviceCall call, long fitting) {
        int queries = call.problem().queryLength();
        int groupRows = call.division().groupRows();
        long most = Math.min(MOST_GROUPS, Math.max(fitting, groupRows));
        return (int) (most >= queries ? queries : most / groupRows * groupRows);
    }

    private long defaultScratch() {
        ClDevice device = context.device();
        long wanted = device.isCpuClass() ? CPU_SCRATCH_BYTES : GPU_SCRATCH_BYTES;
        return Math.min(wanted, Math.min(device.largestAllocationBytes(), device.globalMemoryBytes() / 4));
    }
}
