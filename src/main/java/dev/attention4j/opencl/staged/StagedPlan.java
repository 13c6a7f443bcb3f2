package dev.attention4j.opencl.staged;

import static dev.attention4j.opencl.plan.CommonMacros.storage;

import dev.attention4j.DeviceException;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Scores, scale and mask, softmax, weighted sum: each step a kernel over a matrix of scores in memory.
 *
 * <p>The scores of the whole problem need not fit: blocks of heads are walked, and of one head blocks of queries. Only if
 * the weights are wanted must they fit, because they are the result.
 */
public final class StagedPlan implements AttentionPlan {
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

    /** Work-items of a work-group of the softmax, which reduces a row; of a short row most would only wait at barriers. */
    private static final int SOFTMAX_ITEMS = 128;

    private static final int SHORT_SOFTMAX_ITEMS = 32;
    private static final int SHORT_SOFTMAX_KEYS = 256;

    /** An emulator runs the reduction's barriers for each work-item. */
    private static final int EMULATOR_SOFTMAX_ITEMS = 4;

    /** Grids are at most 65535 work-groups along y and z on NVIDIA. */
    private static final int MOST_GROUPS = 32768;

    private final DeviceContext context;
    private final Map<ScaleMask, ClKernel> scaleMasks = new HashMap<>();

    /** The key of a kernel with expressions, whose text is printed once. */
    private record ScaleMask(int scoreOptions, String expressions) {}

    /** Makes the plan on one device. */
    public StagedPlan(DeviceContext context) {
        this.context = context;
    }

    /**
     * The part of a call that the kernels compute in one launch: some heads of all batch rows, and some queries of each; the
     * parameters of {@code opencl/staged/block.clh}.
     *
     * @param scores [heads, queries, keyLength] floats from scoresOffset on; become the weights
     * @param scoresOffset in floats
     * @param firstHead batch row · queryHeads + head of the first
     * @param firstQuery of each head
     * @param queries of each head
     */
    private record Block(
            DeviceCall call,
            ClBuffer scores,
            long scoresOffset,
            int firstHead,
            int heads,
            int firstQuery,
            int queries) {
        int keys() {
            return call.workload().keyLength();
        }

        /** Sets BLOCK_PARAMETERS, which are all parameters of each staged kernel. */
        void setArguments(ClKernel kernel) {
            setArguments(call.arguments(kernel, 1));
        }

        private void setArguments(ClKernel.Arguments arguments) {
            arguments
                    .buffer(scores)
                    .longInteger(scoresOffset)
                    .integer(firstHead)
                    .integer(firstQuery)
                    .integer(queries);
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        return "four kernels, " + tiling(hasShortHeads(problem.keyLength(), problem.queryLength()))
                + ", scores of up to " + (defaultScratch() >> 20) + " MiB at a time";
    }

    /** Rows of a tile, so that work-items need not idle; of long rows fewer, as many as fit the usual scratch memory, or one. */
    @Override
    public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
        // Smaller tilings, for kernels that cannot be launched with the largest, divide it.
        boolean shortHeads = hasShortHeads(problem.keyLength(), problem.queryLength());
        int tileRows = shortHeads ? SHORT_QUERIES : tiling(false).tileRows();
        if (problem.wantsWeights()) {
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
    public long leastScratchBytes(Workload problem, Division division) {
        return problem.wantsWeights() ? 0 : rowBytes(problem) * Math.min(division.groupRows(), problem.queryLength());
    }

    private static boolean hasShortHeads(int keys, int queries) {
        return queries <= SHORT_QUERIES && keys <= SHORT_KEYS;
    }

    private ProductTiling tiling(boolean shortHeads) {
        return ProductTiling.candidates(context.device(), shortHeads).get(0);
    }

    private static long rowBytes(Workload problem) {
        return Math.max(1L, 4L * problem.keyLength());
    }

    @Override
    public void enqueue(DeviceCall call) {
        Workload problem = call.workload();
        int heads = Math.multiplyExact(problem.batch(), problem.queryHeads());
        int queries = problem.queryLength();
        if (heads == 0 || queries == 0) {
            return;
        }
        long rowBytes = rowBytes(problem);
        boolean keep = call.weights() != null;
        long budget = keep ? Long.MAX_VALUE : call.scratchBudget(defaultScratch());
        int blockQueries = blockQueries(call, budget / rowBytes);
        int blockHeads = blockQueries < queries
                ? 1
                : (int) Math.max(1, Math.min(Math.min(heads, MOST_GROUPS), budget / rowBytes / queries));
        ClBuffer memory = keep ? call.weights() : call.scratch().apply(rowBytes * blockQueries * blockHeads);
        for (int head = 0; head < heads; head += blockHeads) {
            int headsHere = Math.min(blockHeads, heads - head);
            for (int query = 0; query < queries; query += blockQueries) {
                long offset = keep ? ((long) head * queries + query) * problem.keyLength() : 0;
                int queriesHere = Math.min(blockQueries, queries - query);
                enqueue(new Block(call, memory, offset, head, headsHere, query, queriesHere));
            }
        }
    }

    private void enqueue(Block block) {
        StorageTypes storage = block.call.workload().storage();
        boolean paged = block.call.workload().paged();
        boolean masks = block.call.masksScores();
        boolean drops = block.call.expressions().dropout().isPresent();
        if (block.keys() > 0) {
            enqueueProduct("scores", block, block.keys(), tiling -> scoresDefines(tiling, storage, paged));
            enqueueScaleMask(block);
        }
        enqueueSoftmax(block);
        enqueueProduct("weighted_sum", block, block.call.workload().valueDim(), tiling -> {
            Map<String, Object> defines = weightedSumDefines(tiling, storage, paged, masks || drops);
            CommonMacros.dropout(block.call.expressions(), defines);
            return defines;
        });
        if (masks && block.call.weights() != null && block.keys() > 0) {
            ClKernel kernel = context.kernel("staged/unmark.cl", "unmark", elementDefines());
            block.setArguments(kernel);
            launchElements(kernel, block);
        }
    }

    static Map<String, Object> scoresDefines(ProductTiling tiling, StorageTypes storage, boolean paged) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("STORAGE", storage(storage.query()));
        defines.put("KEY_STORAGE", storage(storage.key()));
        CommonMacros.paged(paged, defines);
        tiling.define("KEYS", "DIM_SLICE", defines);
        return defines;
    }

    static Map<String, Object> weightedSumDefines(
            ProductTiling tiling, StorageTypes storage, boolean paged, boolean masks) {
        Map<String, Object> defines = new HashMap<>();
        defines.put("STORAGE", storage(storage.query()));
        defines.put("VALUE_STORAGE", storage(storage.value()));
        CommonMacros.paged(paged, defines);
        if (masks) {
            defines.put("SKIP_MASKED", 1);
        }
        tiling.define("DIMS", "KEY_SLICE", defines);
        return defines;
    }

    static Map<String, Object> elementDefines() {
        return new HashMap<>(Map.of("GROUP_ITEMS", GROUP_ITEMS));
    }

    static Map<String, Object> scaleMaskDefines(int scoreOptions) {
        Map<String, Object> defines = elementDefines();
        defines.put("FIXED_OPTIONS", scoreOptions);
        return defines;
    }

    static Map<String, Object> softmaxDefines(ClDevice device, int items) {
        return Map.of("VECTOR_WIDTH", CommonMacros.vectorWidth(device), "GROUP_ITEMS", items);
    }

    /**
     * Launches a matrix product, with a smaller tiling where the device, or the kernel as built, cannot take a larger
     * one.
     */
    private void enqueueProduct(
            String name, Block block, int columns, Function<ProductTiling, Map<String, Object>> defines) {
        // Decided by the whole call, as its division was.
        boolean shortHeads = hasShortHeads(block.keys(), block.call.division().groupRows());
        ClDevice device = context.device();
        for (ProductTiling tiling : ProductTiling.candidates(device, shortHeads)) {
            if (Plan.whyNotGroup(device, tiling.groupItems(), tiling.localBytes())
                    .isPresent()) {
                continue;
            }
            ClKernel kernel = context.kernel("staged/" + name + ".cl", name, defines.apply(tiling));
            if (tiling.groupItems() <= kernel.largestGroup()) {
                if (name.equals("weighted_sum")
                        && block.call.expressions().dropout().isPresent()) {
                    block.setArguments(block.call.argumentsOfScores(kernel, 1));
                } else {
                    block.setArguments(kernel);
                }
                context.queue().launch(kernel, tiling.global(block.queries, columns, block.heads), tiling.group());
                return;
            }
        }
        throw new DeviceException("no tiling of " + name + " fits " + device + ": work-group at most "
                + device.maxWorkGroupSize() + ", local memory " + device.localMemoryBytes() + " bytes");
    }

    private void enqueueScaleMask(Block block) {
        ClKernel kernel = scaleMasks.computeIfAbsent(
                new ScaleMask(block.call.scoreOptions(), block.call.workload().expressions()),
                build -> scaleMask(build, block.call.expressions()));
        block.setArguments(block.call.argumentsOfScores(kernel, 1));
        launchElements(kernel, block);
    }

    private ClKernel scaleMask(ScaleMask build, Expressions expressions) {
        Map<String, Object> defines = scaleMaskDefines(build.scoreOptions);
        CommonMacros.expressions(expressions, false, defines);
        String functions = expressions.openClText(1, EnumSet.noneOf(Variable.class));
        return context.kernel("staged/scale_mask.cl", "scale_mask", defines, functions);
    }

    /** Launches a kernel with a work-item for each element of the scores or weights. */
    private void launchElements(ClKernel kernel, Block block) {
        long groups = (block.keys() + GROUP_ITEMS - 1L) / GROUP_ITEMS;
        long[] global = {groups * GROUP_ITEMS, block.queries, block.heads};
        context.queue().launch(kernel, global, new long[] {GROUP_ITEMS, 1, 1});
    }

    /** Launches the softmax: each row of scores becomes weights, and its log-sum-exp is kept. */
    private void enqueueSoftmax(Block block) {
        ClDevice device = context.device();
        int wanted = device.isEmulator()
                ? EMULATOR_SOFTMAX_ITEMS
                : block.keys() <= SHORT_SOFTMAX_KEYS ? SHORT_SOFTMAX_ITEMS : SOFTMAX_ITEMS;
        int items = device.isCpuClass() ? 1 : Integer.highestOneBit(Math.min(wanted, device.maxWorkGroupSize()));
        ClKernel kernel = softmax(items);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = softmax(items);
        }
        block.setArguments(kernel);
        long[] global = {(long) block.queries * items, block.heads};
        context.queue().launch(kernel, global, new long[] {items, 1});
    }

    private ClKernel softmax(int items) {
        return context.kernel("staged/softmax.cl", "softmax", softmaxDefines(context.device(), items));
    }

    /** Whole groups of the division, in which rows have the same bits however many groups a block has. */
    private static int blockQueries(DeviceCall call, long fitting) {
        int queries = call.workload().queryLength();
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
