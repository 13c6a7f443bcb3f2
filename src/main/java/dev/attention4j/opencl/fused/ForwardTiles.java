package dev.attention4j.opencl.fused;

import dev.attention4j.DeviceException;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.HiddenBlocks;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Launches {@code opencl/fused/forward_tiles.cl}: the fused plan for GPU-class devices. */
public final class ForwardTiles implements AttentionPlan {
    /** The name of this plan. */
    public static final String NAME = "tiles";

    /** Queries of a head from which on it fills tiles alone. */
    private static final int SHORT_QUERY = 32;

    /** Keys of a split where queries are few: a work-group's own start and end are little of what it does. */
    private static final int SPLIT_KEYS = 256;

    private static final int MOST_DECODED_ROWS = 64;

    /** Tiles of keys from which on it is worth it to find those that a mask hides. */
    private static final int LEAST_KEY_TILES = 4;

    /** Queries times keys from which on they are found in each call, and once for all calls. */
    private static final long LEAST_PAIRS = 1 << 18;

    private static final long LEAST_PAIRS_KEPT = 1 << 13;

    /** Rows of a vector. */
    private static final int ROW_VECTOR = 4;

    private final DeviceContext context;
    private final MergeSplits mergeSplits;
    private final MaskBlocks maskBlocks;
    private final Map<Build, ClKernel> kernels = new HashMap<>();

    /** For tests: the tiling and splits to take; null and 0 to choose them. */
    private final ForwardTilesTiling forcedTiling;

    private final int forcedSplits;

    /** Makes the plan on one device. */
    public ForwardTiles(DeviceContext context) {
        this(context, null, 0);
    }

    ForwardTiles(DeviceContext context, ForwardTilesTiling forcedTiling, int forcedSplits) {
        this.context = context;
        this.forcedTiling = forcedTiling;
        this.forcedSplits = forcedSplits;
        mergeSplits = new MergeSplits(context);
        maskBlocks = new MaskBlocks(context);
    }

    /** The key of a built kernel. */
    record Build(
            StorageTypes storage,
            boolean paged,
            ForwardTilesTiling tiling,
            int microDims,
            int passes,
            int subGroupItems,
            boolean options,
            boolean wide,
            String expressions,
            boolean rowsOfHeads) {
        Map<String, Object> defines() {
            Map<String, Object> defines = new HashMap<>(tiling.tunables().values());
            defines.put("MICRO_DIMS", microDims);
            defines.put("DIM_PASSES", passes);
            defines.put("SUB_GROUP_ITEMS", subGroupItems);
            CommonMacros.define(storage, paged, defines);
            if (options) {
                defines.put("OPTIONS", 1);
            }
            if (wide) {
                defines.put("WIDE", 1);
            }
            return defines;
        }
    }

    /** The kernel with the tiling that it was built with. */
    private record Tiled(ClKernel kernel, ForwardTilesTiling tiling, boolean options) {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> whyNot(Workload problem) {
        return AttentionPlan.withoutWeights(problem)
                .or(() -> tilings(problem).isEmpty()
                        ? Optional.of("values of " + problem.valueDim() + " fit no tiling for the local memory of "
                                + context.device().localMemoryBytes() + " bytes and work-groups of "
                                + context.device().maxWorkGroupSize())
                        : Optional.empty());
    }

    @Override
    public List<Tunables> defaults(Workload problem) {
        return tilings(problem).stream().map(ForwardTilesTiling::tunables).toList();
    }

    @Override
    public List<Tunables> candidates(Workload problem) {
        if (forcedTiling != null || context.device().isCpuClass()) {
            return defaults(problem);
        }
        return ForwardTilesTiling.timed(context.device(), problem, rowsOfUnit(problem)).stream()
                .map(ForwardTilesTiling::tunables)
                .toList();
    }

    @Override
    public TunableSpace<ForwardTilesTiling> tunableSpace() {
        return ForwardTilesTiling.SPACE;
    }

    @Override
    public Optional<String> whyNot(Workload problem, Tunables tunables) {
        return ForwardTilesTiling.whyNot(context.device(), problem, tunables);
    }

    @Override
    public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
        ForwardTilesTiling wanted = ForwardTilesTiling.SPACE.of(tunables);
        // Any may be what the kernel, as built, can be launched with: rows of tiles are powers of two.
        int rows = Stream.concat(Stream.of(wanted), tilings(problem).stream())
                .mapToInt(ForwardTilesTiling::tileRows)
                .max()
                .orElseThrow();
        int splits = splits(problem, wanted, maxScratchBytes);
        return new Division(splits, splitKeys(problem, splits), unitHeads(problem), rows);
    }

    /** The partial results of splits and, where keys are many, the totals of work-groups. */
    @Override
    public long leastScratchBytes(Workload problem, Division division) {
        int splits = division.splits();
        long totals = tilings(problem).stream()
                .filter(tiling -> tiling.folds(problem, splits))
                .mapToLong(tiling -> groups(problem, tiling) * splits * tiling.totalBytes(problem.valueDim()))
                .max()
                .orElse(0);
        return MergeSplits.Partial.scratchBytes(problem, splits) + totals;
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        ForwardTilesTiling tiling = ForwardTilesTiling.SPACE.of(tunables);
        int splits = splits(problem, tiling, 0);
        return "one pass, " + tiling + (splits > 1 ? ", " + splits + " splits of the keys" : "") + ", "
                + ((tiling.localBytes(problem.valueDim()) + 1023) >> 10) + " of "
                + (context.device().localMemoryBytes() >> 10) + " KiB of local memory";
    }

    @Override
    public void enqueue(DeviceCall call) {
        Workload problem = call.workload();
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return;
        }
        Tiled tiled = tiled(call);
        ForwardTilesTiling tiling = tiled.tiling();
        int splits = call.division().splits();
        MergeSplits.Partial partial = MergeSplits.Partial.of(call, splits);
        int foldedTiles = tiling.foldedTiles(problem);
        ClBuffer totals = tiling.folds(problem, splits)
                ? call.scratch().apply(groups(problem, tiling) * splits * tiling.totalBytes(problem.valueDim()))
                : call.output();
        boolean wideOutput = problem.valueDim() % 4 == 0 && !call.output().isShared();
        MaskBlocks.Table hidden = hidden(call, tiling);
        ClKernel.Arguments arguments = call.argumentsOfScores(tiled.kernel(), unitHeads(problem))
                .buffer(partial.output())
                .buffer(partial.sums())
                .integer(splits)
                .integer(call.division().splitKeys())
                .integer(wideOutput ? 1 : 0)
                .buffer(totals)
                .integer(foldedTiles);
        if (tiled.options()) {
            hidden.addTo(arguments);
        }
        long groups = groups(problem, tiling) * splits;
        context.queue()
                .launch(tiled.kernel(), new long[] {groups * tiling.groupItems()}, new long[] {tiling.groupItems()});
        mergeSplits.enqueue(partial, call);
    }

    /** Returns the table of hidden blocks, kept or found for this call. */
    private MaskBlocks.Table hidden(DeviceCall call, ForwardTilesTiling tiling) {
        Workload problem = call.workload();
        MaskBlocks.Shape shape = new MaskBlocks.Shape(unitHeads(problem), tiling.tileRows(), tiling.tileKeys());
        if (problem.keyLength() < LEAST_KEY_TILES * tiling.tileKeys()) {
            return MaskBlocks.none(call);
        }
        long room = call.scratchBudget(Long.MAX_VALUE) - leastScratchBytes(problem, call.division());
        return HiddenBlocks.of(call.problem())
                .filter(hidden -> shape.pairs(problem) >= (hidden.mayBeKept() ? LEAST_PAIRS_KEPT : LEAST_PAIRS))
                .map(hidden -> maskBlocks.of(call, hidden, shape, room))
                .orElseGet(() -> MaskBlocks.none(call));
    }

    /** The call's tiling, or the best after it that the kernel, as built, can be launched with. */
    private Tiled tiled(DeviceCall call) {
        Workload problem = call.workload();
        List<ForwardTilesTiling> tilings = new ArrayList<>();
        tilings.add(ForwardTilesTiling.SPACE.of(call.tunables()));
        tilings.addAll(tilings(problem));
        for (ForwardTilesTiling tiling : tilings) {
            Build build = new Build(
                    problem.storage(),
                    problem.paged(),
                    tiling,
                    tiling.microDims(problem.valueDim()),
                    tiling.passes(problem.valueDim()),
                    context.device().leastSubGroupItems(),
                    buildsFew() || call.hasOptions(),
                    isWide(call),
                    problem.expressions(),
                    !problem.expressions().isEmpty() && unitHeads(problem) > 1);
            ClKernel kernel = kernels.computeIfAbsent(build, key -> build(key, call.expressions()));
            if (tiling.groupItems() <= kernel.largestGroup()) {
                return new Tiled(kernel, tiling, build.options);
            }
        }
        throw new DeviceException("no tiling of forward_tiles fits " + context.device());
    }

    private ClKernel build(Build build, Expressions expressions) {
        Map<String, Object> defines = build.defines();
        CommonMacros.expressions(expressions, build.rowsOfHeads, defines);
        String functions = CommonMacros.expressionsOfRows(expressions, build.rowsOfHeads, ROW_VECTOR);
        return context.kernelWithMoreRegisters("fused/forward_tiles.cl", "forward_tiles", defines, functions);
    }

    /** Returns true on a CPU, where a build takes seconds and a kernel for fewer cases gains nothing. */
    private boolean buildsFew() {
        return forcedTiling == null && context.device().isCpuClass();
    }

    private boolean isWide(DeviceCall call) {
        Workload problem = call.workload();
        return !buildsFew()
                && isWide(call.query(), problem.headDim())
                && isWide(call.key(), problem.headDim())
                && isWide(call.value(), problem.valueDim());
    }

    /** Returns true if rows consist of whole, aligned vectors; memory that the host shares may not be aligned. */
    private static boolean isWide(Operand operand, int width) {
        boolean wide =
                width % 4 == 0 && operand.offset() % 4 == 0 && !operand.buffer().isShared();
        for (int axis = 0; axis < 3; axis++) {
            wide &= operand.strides()[axis] % 4 == 0;
        }
        return wide;
    }

    private List<ForwardTilesTiling> tilings(Workload problem) {
        if (forcedTiling != null) {
            return List.of(forcedTiling);
        }
        return ForwardTilesTiling.candidates(context.device(), problem, rowsOfUnit(problem));
    }

    private static long rowsOfUnit(Workload problem) {
        return (long) unitHeads(problem) * problem.queryLength();
    }

    /** All heads of a group together where one head's queries would leave most of a tile empty, as in decoding. */
    private static int unitHeads(Workload problem) {
        return problem.queryLength() < SHORT_QUERY ? problem.group() : 1;
    }

    /** Work-groups without splits. */
    private static long groups(Workload problem, ForwardTilesTiling tiling) {
        int unitHeads = unitHeads(problem);
        long rows = (long) unitHeads * problem.queryLength();
        return (rows + tiling.tileRows() - 1)
                / tiling.tileRows()
                * problem.batch()
                * (problem.queryHeads() / unitHeads);
    }

    /**
     * How many work-groups share the keys of a tile of rows: as many as it takes to fill the device, but each has whole
     * tiles of keys, and all their outputs must fit the scratch memory.
     */
    private int splits(Workload problem, ForwardTilesTiling tiling, long maxScratchBytes) {
        ClDevice device = context.device();
        long keyTiles = (problem.keyLength() + tiling.tileKeys() - 1L) / tiling.tileKeys();
        long busy = (long) device.computeUnits() * tiling.groupsPerUnit();
        long fitting = mergeSplits.most(problem, maxScratchBytes);
        if (isDecoding(problem)) {
            return (int) Math.max(1, Math.min(fitting, (problem.keyLength() + SPLIT_KEYS - 1L) / SPLIT_KEYS));
        }
        long wanted = forcedSplits > 0 ? forcedSplits : busy / Math.max(1, groups(problem, tiling));
        return (int) Math.max(1, Math.min(Math.min(wanted, keyTiles), fitting));
    }

    /** Keys of a split; 0 to share the keys of each tile of rows evenly among its splits. */
    private int splitKeys(Workload problem, int splits) {
        if (!isDecoding(problem)) {
            return 0;
        }
        long least = (problem.keyLength() + splits - 1L) / splits;
        return (int) Math.max(1, (least + SPLIT_KEYS - 1) / SPLIT_KEYS * SPLIT_KEYS);
    }

    /**
     * Returns whether keys are split at the same places whatever else is in the batch, so that a sequence's result does
     * not depend on it. What splits leave of more rows would be too much of the keys' own memory.
     */
    private boolean isDecoding(Workload problem) {
        return forcedSplits == 0
                && problem.queryLength() < SHORT_QUERY
                && problem.group() * problem.queryLength() <= MOST_DECODED_ROWS;
    }
}
