package dev.attention4j.opencl.fused;

import dev.attention4j.AttentionProblem;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Launches {@code opencl/fused/forward_decode.cl}, and {@code merge_splits.cl} after it where the keys are split: the
 * plan for few query rows on CPU-class devices.
 */
public final class ForwardDecode implements AttentionPlan {
    /** The name of this plan. */
    public static final String NAME = "decode";

    /** Work-groups for each compute unit, so that one that starts late does not leave the others waiting. */
    private static final int GROUPS_PER_UNIT = 4;

    /** Keys of a split, on devices of few compute units, and on others. */
    private static final int SPLIT_KEYS_OF_FEW_UNITS = 1024;

    private static final int SPLIT_KEYS = 512;
    private static final int FEW_UNITS = 8;

    private static final int KEY_BLOCK = 512;

    /** The kernel's STREAMS: keys of a vector of scores. */
    private static final int STREAMS = 4;

    /** More are faster by lanes along the rows: measured on AVX2, 8 lanes, where 24 rows take as long either way. */
    private static final int MOST_ROWS = 16;

    /** The same where each row and key has a mask or bias of its own, which lanes along the rows take together. */
    private static final int MOST_ROWS_MASKED = 8;

    /** Splits are whole multiples of this, so that a block's runs of keys are of one length. */
    private static final int SPLIT_STEP = 32;

    private final DeviceContext context;
    private final MergeSplits mergeSplits;
    private final Map<Build, ClKernel> kernels = new HashMap<>();

    /** Makes the plan on one device. */
    public ForwardDecode(DeviceContext context) {
        this.context = context;
        mergeSplits = new MergeSplits(context);
    }

    /** The key of a built kernel. */
    private record Build(StorageTypes storage, boolean paged, int rowTile, String expressions) {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> whyNot(Workload problem) {
        return AttentionPlan.withoutWeights(problem)
                .or(() -> blockRows(problem) == 0
                        ? Optional.of("a row of " + problem.headDim() + " and " + problem.valueDim()
                                + " does not fit the local memory of "
                                + context.device().localMemoryBytes() + " bytes")
                        : Optional.empty());
    }

    /** Where a problem has so few rows for each key/value head that reading the keys takes longer than using them. */
    @Override
    public boolean suits(Workload problem) {
        return rows(problem) <= (problem.masked() ? MOST_ROWS_MASKED : MOST_ROWS);
    }

    @Override
    public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
        int splits = splits(problem, maxScratchBytes);
        return new Division(splits, splitKeys(problem, splits), problem.group(), (int) blockRows(problem));
    }

    @Override
    public long leastScratchBytes(Workload problem, Division division) {
        return MergeSplits.Partial.scratchBytes(problem, division.splits());
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        int splits = splits(problem, 0);
        return rowTile(problem) + " rows at a time, keys " + (splits == 1 ? "unsplit" : "in " + splits + " splits");
    }

    @Override
    public void enqueue(DeviceCall call) {
        Workload problem = call.workload();
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return;
        }
        ClKernel kernel = kernels.computeIfAbsent(
                new Build(problem.storage(), problem.paged(), rowTile(problem), problem.expressions()),
                build -> build(build, call.expressions()));
        int splits = call.division().splits();
        MergeSplits.Partial partial = MergeSplits.Partial.of(call, splits);
        long blockRows = Math.min(call.division().groupRows(), Math.max(1, rows(problem)));
        call.argumentsOfScores(kernel, problem.group())
                .buffer(partial.output())
                .buffer(partial.sums())
                .integer(call.division().splitKeys())
                .integer((int) blockRows)
                .local(4 * blockRows * problem.headDim())
                .local(4 * blockRows * problem.valueDim())
                .local(4 * blockRows * problem.valueDim())
                .local(blockOutputBytes(problem))
                .local(4 * blockRows * KEY_BLOCK)
                .local(4 * blockRows)
                .local(4 * blockRows)
                .local(4 * blockRows);
        long units = (long) problem.batch() * problem.keyValueHeads();
        long blocks = (rows(problem) + blockRows - 1) / blockRows;
        context.queue().launch(kernel, new long[] {splits, units, blocks}, new long[] {1, 1, 1});
        mergeSplits.enqueue(partial, call);
    }

    private ClKernel build(Build build, Expressions expressions) {
        Map<String, Object> defines = new HashMap<>();
        CommonMacros.define(build.storage, build.paged, defines);
        defines.put("VECTOR_WIDTH", CommonMacros.vectorWidth(context.device()));
        defines.put("ROW_TILE", build.rowTile);
        defines.put("KEY_BLOCK", KEY_BLOCK);
        CommonMacros.expressions(expressions, false, defines);
        String functions = expressions.openClText(STREAMS, EnumSet.of(Variable.SCORE, Variable.KEY));
        return context.kernel("fused/forward_decode.cl", "forward_decode", defines, functions);
    }

    /** Rows that share a key/value head. */
    private static long rows(Workload problem) {
        return (long) problem.group() * problem.queryLength();
    }

    private static int rowTile(Workload problem) {
        return rows(problem) >= 4 ? 4 : rows(problem) >= 2 ? 2 : 1;
    }

    /** For what a block of keys adds to the outputs of a tile of rows. */
    private static long blockOutputBytes(Workload problem) {
        return 4L * rowTile(problem) * problem.valueDim();
    }

    /** Rows of a work-group: all of them if local memory has room, else whole tiles; 0 if not even one fits. */
    private long blockRows(Workload problem) {
        long rowBytes = 4 * ((long) problem.headDim() + 2L * problem.valueDim() + KEY_BLOCK + 3);
        long room = Math.max(0, context.device().localMemoryBytes() - blockOutputBytes(problem)) / rowBytes;
        long rows = Math.max(1, rows(problem));
        int tile = rowTile(problem);
        if (context.device().isEmulator()) {
            // Work-items that do little: some emulators end them early.
            return Math.min(Math.min(rows, room), tile);
        }
        return rows <= room ? rows : room < tile ? room : room / tile * tile;
    }

    /** Returns how many splits the keys have; fewer where what they leave would not fit scratch memory. */
    private int splits(Workload problem, long maxScratchBytes) {
        long wanted = (problem.keyLength() + splitKeys(problem) - 1L) / splitKeys(problem);
        return (int) Math.max(1, Math.min(wanted, mergeSplits.most(problem, maxScratchBytes)));
    }

    private int splitKeys(Workload problem, int splits) {
        long least = (problem.keyLength() + splits - 1L) / splits;
        return (int) Math.max(splitKeys(problem), (least + SPLIT_STEP - 1) / SPLIT_STEP * SPLIT_STEP);
    }

    /**
     * Returns the keys of a split. Of the few rows that this plan is made for, splits begin at the same keys however long
     * the other sequences of a batch are and however many they are, so that a sequence's result does not depend on them:
     * a device that one sequence's heads keep busy never splits, others always do. What splits leave of many rows would
     * grow with rows times keys: these have as many as give each compute unit enough work-groups.
     */
    private int splitKeys(Workload problem) {
        int units = context.device().computeUnits();
        if (rows(problem) > MOST_ROWS) {
            long heads = Math.max(1, (long) problem.batch() * problem.keyValueHeads());
            long splits = (GROUPS_PER_UNIT * (long) units + heads - 1) / heads;
            return (int) Math.max(SPLIT_KEYS, (problem.keyLength() + splits - 1) / splits);
        }
        if (problem.keyValueHeads() >= GROUPS_PER_UNIT * units) {
            return AttentionProblem.MAX_LENGTH;
        }
        return units <= FEW_UNITS ? SPLIT_KEYS_OF_FEW_UNITS : SPLIT_KEYS;
    }
}
