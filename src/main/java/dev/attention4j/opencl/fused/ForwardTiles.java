package dev.attention4j.opencl.fused;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Launches {@code opencl/fused/forward_tiles.cl}: the fused plan for GPU-class devices. */
public final class ForwardTiles implements Plan {
    /** The name of this plan. */
    public static final String NAME = "tiles";

    /** Log2(e): the kernel's scores are exponents of 2. */
    private static final double LOG2E = 1.4426950408889634;

    /** Queries of a head from which on it fills tiles alone. */
    private static final int SHORT_QUERY = 32;

    private final DeviceContext context;
    private final MergeSplits mergeSplits;

    /** For tests: the tiling and splits to take; null and 0 to choose them. */
    private final TileTiling forcedTiling;

    private final int forcedSplits;

    /**
     * The plan on one device.
     *
     * @param context open
     */
    public ForwardTiles(DeviceContext context) {
        this(context, null, 0);
    }

    ForwardTiles(DeviceContext context, TileTiling forcedTiling, int forcedSplits) {
        this.context = context;
        this.forcedTiling = forcedTiling;
        this.forcedSplits = forcedSplits;
        mergeSplits = new MergeSplits(context);
    }

    /** The kernel with the tiling that it was built with. */
    private record Tiled(ClKernel kernel, TileTiling tiling) {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> refusal(AttentionProblem problem) {
        if (problem.attention().wantsWeights()) {
            return Optional.of("it never holds the weights; the plan staged returns them");
        }
        if (candidates(problem).isEmpty()) {
            return Optional.of("values of " + problem.valueDim() + " fit no tiling for the local memory of "
                    + context.device().localMemoryBytes() + " bytes and work-groups of "
                    + context.device().maxWorkGroupSize());
        }
        return Optional.empty();
    }

    @Override
    public String describe(AttentionProblem problem) {
        TileTiling tiling = candidates(problem).get(0);
        int splits = splits(problem, tiling, 0);
        return "one pass, " + tiling + (splits > 1 ? ", " + splits + " splits of the keys" : "");
    }

    @Override
    public void enqueue(DeviceCall call) {
        AttentionProblem problem = call.problem();
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return;
        }
        Attention attention = problem.attention();
        Tiled tiled = build(call);
        TileTiling tiling = tiled.tiling();
        int splits = splits(problem, tiling, call.maxScratchBytes());
        long rows = (long) problem.batch() * problem.queryHeads() * problem.queryLength();
        ClBuffer unused = call.output();
        ClBuffer partialOutput = unused;
        ClBuffer partialSums = unused;
        if (splits > 1) {
            partialOutput = call.scratch().apply(MergeSplits.Partial.outputBytes(splits, rows, problem.valueDim()));
            partialSums = call.scratch().apply(MergeSplits.Partial.sumsBytes(splits, rows));
        }
        int unitHeads = unitHeads(problem);
        boolean softcap = attention.softcap().isPresent();
        ClKernel.Arguments arguments = tiled.kernel().arguments();
        call.query().asRows(arguments);
        call.key().asRows(arguments);
        call.value().asRows(arguments);
        arguments
                .buffer(call.output())
                .buffer(call.logSumExp() == null ? unused : call.logSumExp())
                .buffer(partialOutput)
                .buffer(partialSums)
                .integer(features(call))
                .integer(splits)
                .integer(problem.queryHeads())
                .integer(problem.queryHeads() / problem.keyValueHeads())
                .integer(unitHeads)
                .integer(problem.queryLength())
                .integer(problem.keyLength())
                .integer(problem.headDim())
                .integer(problem.valueDim())
                .real((float) (softcap ? problem.scale() : problem.scale() * LOG2E))
                .real((float) attention.softcap().orElse(0));
        KeyRanges.set(arguments, call, unused);
        KeyRanges.setAlibi(arguments, call, unused);
        arguments.buffer(call.sinks() == null ? unused : call.sinks());
        Operand none = new Operand(unused, 0, new long[4]);
        (call.mask() == null ? none : call.mask()).asElements(arguments);
        (call.bias() == null ? none : call.bias()).asElements(arguments);
        long groups = groups(problem, tiling) * splits;
        context.queue()
                .launch(tiled.kernel(), new long[] {groups * tiling.groupItems()}, new long[] {tiling.groupItems()});
        if (splits > 1) {
            mergeSplits.enqueue(
                    new MergeSplits.Partial(partialOutput, partialSums, splits, rows, problem.valueDim()),
                    problem.dtype(),
                    call.output(),
                    call.logSumExp());
        }
    }

    /** The best tiling that the kernel, as built, can be launched with. */
    private Tiled build(DeviceCall call) {
        AttentionProblem problem = call.problem();
        Map<String, Object> defines = defines(call);
        for (TileTiling tiling : candidates(problem)) {
            tiling.define(problem.valueDim(), defines);
            ClKernel kernel = context.kernel("fused/forward_tiles.cl", "forward_tiles", defines);
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new Tiled(kernel, tiling);
            }
        }
        throw new DeviceException("no tiling of forward_tiles fits " + context.device());
    }

    private Map<String, Object> defines(DeviceCall call) {
        Map<String, Object> defines = new HashMap<>();
        AttentionProblem problem = call.problem();
        DType dtype = problem.dtype();
        defines.put("STORAGE", dtype == DType.FLOAT32 ? 0 : dtype == DType.FLOAT16 ? 1 : 2);
        Attention attention = problem.attention();
        // What a GPU gains by a kernel without options, a CPU does not: there each build counts.
        if (forcedTiling == null && context.device().type() == ClDevice.Type.CPU
                || attention.softcap().isPresent()
                || attention.mask().isPresent()
                || attention.bias().isPresent()
                || attention.alibiSlopes().length > 0) {
            defines.put("OPTIONS", 1);
        }
        if (isWide(call.query(), problem.headDim())
                && isWide(call.key(), problem.headDim())
                && isWide(call.value(), problem.valueDim())) {
            defines.put("WIDE", 1);
        }
        return defines;
    }

    /** The bits of {@code opencl/fused/tile_options.clh}. */
    private static int features(DeviceCall call) {
        AttentionProblem problem = call.problem();
        boolean wideOutput = problem.valueDim() % 4 == 0 && !call.output().isShared();
        return (problem.attention().softcap().isPresent() ? 1 : 0)
                | (call.mask() != null ? 2 : 0)
                | (call.bias() != null ? 4 : 0)
                | (call.logSumExp() != null ? 8 : 0)
                | (call.keyRanges() != null ? 16 : 0)
                | (call.alibiSlopes() != null ? 32 : 0)
                | (call.sinks() != null ? 64 : 0)
                | (wideOutput ? 128 : 0);
    }

    /** Whether rows consist of whole vectors, each aligned; what the host gave as its own memory may not be. */
    private static boolean isWide(Operand operand, int width) {
        boolean wide = width % 4 == 0 && operand.offset() % 4 == 0 && !operand.buffer().isShared();
        for (int axis = 0; axis < 3; axis++) {
            wide &= operand.strides()[axis] % 4 == 0;
        }
        return wide;
    }

    private List<TileTiling> candidates(AttentionProblem problem) {
        if (forcedTiling != null) {
            return List.of(forcedTiling);
        }
        return TileTiling.candidates(context.device(), problem, (long) unitHeads(problem) * problem.queryLength());
    }

    /** All heads of a group together where one head's queries would leave most of a tile empty, as in decoding. */
    private static int unitHeads(AttentionProblem problem) {
        return problem.queryLength() < SHORT_QUERY ? problem.queryHeads() / problem.keyValueHeads() : 1;
    }

    /** Work-groups without splits. */
    private static long groups(AttentionProblem problem, TileTiling tiling) {
        int unitHeads = unitHeads(problem);
        long rows = (long) unitHeads * problem.queryLength();
        return (rows + tiling.tileRows() - 1)
                / tiling.tileRows()
                * problem.batch()
                * (problem.queryHeads() / unitHeads);
    }

    /**
     * How many work-groups share the keys of a tile of rows: as many as it takes to fill the device, but each has whole
     * tiles of keys, and all their outputs must fit.
     */
    private int splits(AttentionProblem problem, TileTiling tiling, long maxScratchBytes) {
        ClDevice device = context.device();
        long rows = (long) problem.batch() * problem.queryHeads() * problem.queryLength();
        long keyTiles = (problem.keyLength() + tiling.tileKeys() - 1L) / tiling.tileKeys();
        long busy = (long) device.computeUnits() * tiling.groupsPerUnit();
        long wanted = forcedSplits > 0 ? forcedSplits : busy / Math.max(1, groups(problem, tiling));
        long largest = maxScratchBytes > 0
                ? maxScratchBytes
                : Math.min(device.largestAllocationBytes(), device.globalMemoryBytes() / 8);
        long fitting = largest / Math.max(1, MergeSplits.Partial.outputBytes(1, rows, problem.valueDim()));
        return (int) Math.max(1, Math.min(Math.min(wanted, keyTiles), fitting));
    }
}
