package dev.attention4j.opencl.fused;

import dev.attention4j.DType;
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
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.HiddenBlocks;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Launches {@code opencl/fused/forward_rows.cl}: the fused plan for CPU-class devices. */
public final class ForwardRows implements AttentionPlan {
    /** The name of this plan. */
    public static final String NAME = "rows";

    /** Work-groups that read the same keys, from which on widening these once beats doing it in each. */
    private static final int WIDENED_READERS = 16;

    /** Queries times keys from which on blocks that a mask hides are looked up in a table. */
    private static final long LEAST_PAIRS = 1 << 13;

    /** The same of mask expressions, for each of which a kernel is built that finds the table. */
    private static final long LEAST_PAIRS_EXPRESSED = 1 << 20;

    private final DeviceContext context;
    private final WidenRows widenRows;
    private final MaskBlocks maskBlocks;
    private final Map<Build, ClKernel> kernels = new HashMap<>();

    /** Makes the plan on one device. */
    public ForwardRows(DeviceContext context) {
        this.context = context;
        widenRows = new WidenRows(context);
        maskBlocks = new MaskBlocks(context);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> whyNot(Workload problem) {
        return AttentionPlan.withoutWeights(problem)
                .or(() -> tiling(problem).isEmpty()
                        ? Optional.of("rows of " + problem.headDim() + " and " + problem.valueDim()
                                + " do not fit the local memory of "
                                + context.device().localMemoryBytes() + " bytes")
                        : Optional.empty());
    }

    @Override
    public List<Tunables> defaults(Workload problem) {
        return Stream.concat(tiling(problem).stream(), Stream.of(ForwardRowsTiling.SMALLEST))
                .map(ForwardRowsTiling::tunables)
                .toList();
    }

    @Override
    public List<Tunables> candidates(Workload problem) {
        return ForwardRowsTiling.candidates(context.device(), unitRows(problem)).stream()
                .map(ForwardRowsTiling::tunables)
                .toList();
    }

    @Override
    public TunableSpace<ForwardRowsTiling> tunableSpace() {
        return ForwardRowsTiling.SPACE;
    }

    @Override
    public Optional<String> whyNot(Workload problem, Tunables tunables) {
        return ForwardRowsTiling.whyNot(context.device(), problem, tunables);
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        ForwardRowsTiling tiling = ForwardRowsTiling.SPACE.of(tunables);
        return "one pass, " + tiling + (areWidened(problem, tiling) ? ", keys and values widened once, " : ", ")
                + ((tiling.localBytes(problem) + 1023) >> 10) + " of "
                + (context.device().localMemoryBytes() >> 10) + " KiB of local memory";
    }

    @Override
    public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
        return new Division(
                1, 0, unitHeads(problem), ForwardRowsTiling.SPACE.of(tunables).rows());
    }

    @Override
    public void enqueue(DeviceCall call) {
        Workload problem = call.workload();
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return;
        }
        ForwardRowsTiling tiling = ForwardRowsTiling.SPACE.of(call.tunables());
        // Without room for all the floats each work-group widens for itself, with the same bits.
        boolean widened =
                areWidened(problem, tiling) && WidenRows.scratchBytes(problem) <= call.scratchBudget(Long.MAX_VALUE);
        Operand key = call.key();
        Operand value = call.value();
        StorageTypes storage = problem.storage();
        boolean paged = problem.paged();
        if (widened) {
            key = widenRows.keys(call);
            value = widenRows.values(call);
            storage = new StorageTypes(storage.query(), DType.FLOAT32, DType.FLOAT32);
            paged = false;
        }
        int unitHeads = unitHeads(problem);
        boolean rowsOfHeads = !problem.expressions().isEmpty() && unitHeads > 1;
        ClKernel kernel = kernels.computeIfAbsent(
                new Build(storage, paged, tiling, problem.expressions(), rowsOfHeads),
                build -> build(build, call.expressions()));
        MaskBlocks.Table hidden = hidden(call, tiling, unitHeads, widened ? WidenRows.scratchBytes(problem) : 0);
        ClKernel.Arguments arguments = call.argumentsOfScores(kernel, unitHeads, key, value)
                .local(4L * problem.headDim() * tiling.rows())
                .local(4L * problem.valueDim() * tiling.rows())
                .local(4L * tiling.keyBlock() * tiling.rows())
                .local(widened ? 4 : Math.max(4, 4 * tiling.widenedFloats(problem)))
                .local(Math.max(4, 4 * tiling.totalFloats(problem)))
                .local((problem.expressions().isEmpty() ? 44L : 52L) * tiling.rows());
        hidden.addTo(arguments);
        long rows = (long) unitHeads * problem.queryLength();
        long units = (long) problem.batch() * problem.queryHeads() / unitHeads;
        long[] global = {(rows + tiling.rows() - 1) / tiling.rows(), units, 1};
        context.queue().launch(kernel, global, new long[] {1, 1, 1});
    }

    /** Returns the table of hidden blocks, where calls share it; else the kernel tests each block as fast as it is found. */
    private MaskBlocks.Table hidden(DeviceCall call, ForwardRowsTiling tiling, int unitHeads, long used) {
        MaskBlocks.Shape shape = new MaskBlocks.Shape(unitHeads, tiling.rows(), tiling.keyBlock());
        return HiddenBlocks.of(call.problem())
                .filter(hidden ->
                        shape.pairs(call.workload()) >= (hidden.byExpression() ? LEAST_PAIRS_EXPRESSED : LEAST_PAIRS))
                .filter(HiddenBlocks::mayBeKept)
                .map(hidden -> maskBlocks.of(call, hidden, shape, call.scratchBudget(Long.MAX_VALUE) - used))
                .orElseGet(() -> MaskBlocks.none(call));
    }

    /** The key of a built kernel. */
    private record Build(
            StorageTypes storage, boolean paged, ForwardRowsTiling tiling, String expressions, boolean rowsOfHeads) {
        /** The records' own would be made at run time, which takes a hundredth of a second of a first call. */
        @Override
        public int hashCode() {
            return storage.hashCode() * 31 + tiling.keyBlock() + tiling.rows();
        }
    }

    private boolean areWidened(Workload problem, ForwardRowsTiling tiling) {
        return WidenRows.scratchBytes(problem) > 0 && unitRows(problem) > (WIDENED_READERS - 1L) * tiling.rows();
    }

    private ClKernel build(Build build, Expressions expressions) {
        Map<String, Object> defines = new HashMap<>(build.tiling.tunables().values());
        CommonMacros.define(build.storage, build.paged, defines);
        CommonMacros.expressions(expressions, build.rowsOfHeads, defines);
        String functions = CommonMacros.expressionsOfRows(expressions, build.rowsOfHeads, build.tiling.vectorWidth());
        return context.kernel("fused/forward_rows.cl", "forward_rows", defines, functions);
    }

    private Optional<ForwardRowsTiling> tiling(Workload problem) {
        return ForwardRowsTiling.choose(context.device(), problem, unitRows(problem));
    }

    private long unitRows(Workload problem) {
        return (long) unitHeads(problem) * problem.queryLength();
    }

    /** All heads of a group together where one head's queries would leave lanes empty, as in decoding. */
    private int unitHeads(Workload problem) {
        return problem.queryLength() < 2 * CommonMacros.vectorWidth(context.device()) ? problem.group() : 1;
    }
}
