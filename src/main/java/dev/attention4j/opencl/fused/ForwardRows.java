package dev.attention4j.opencl.fused;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Launches {@code opencl/fused/forward_rows.cl}: the fused plan for CPU-class devices. */
public final class ForwardRows implements Plan {
    /** The name of this plan. */
    public static final String NAME = "rows";

    /** Log2(e): the kernel's scores are exponents of 2. */
    private static final double LOG2E = 1.4426950408889634;

    private final DeviceContext context;

    /**
     * The plan on one device.
     *
     * @param context open
     */
    public ForwardRows(DeviceContext context) {
        this.context = context;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> refusal(AttentionProblem problem) {
        if (problem.attention().wantsWeights()) {
            return Optional.of("it never holds the weights; the plan staged returns them");
        }
        if (tiling(problem).isEmpty()) {
            return Optional.of("rows of " + problem.headDim() + " and " + problem.valueDim()
                    + " do not fit the local memory of " + context.device().localMemoryBytes() + " bytes");
        }
        return Optional.empty();
    }

    @Override
    public List<Tunables> defaults(AttentionProblem problem) {
        return tiling(problem).map(RowTiling::tunables).stream().toList();
    }

    @Override
    public List<Tunables> candidates(AttentionProblem problem) {
        return RowTiling.candidates(context.device(), unitRows(problem)).stream()
                .map(RowTiling::tunables)
                .toList();
    }

    @Override
    public Optional<String> misfit(AttentionProblem problem, Tunables tunables) {
        return RowTiling.misfit(context.device(), problem, tunables);
    }

    @Override
    public String describe(AttentionProblem problem, Tunables tunables) {
        RowTiling tiling = RowTiling.of(tunables);
        return "one pass, " + tiling + ", " + ((tiling.localBytes(problem) + 1023) >> 10) + " of "
                + (context.device().localMemoryBytes() >> 10) + " KiB of local memory";
    }

    @Override
    public void enqueue(DeviceCall call) {
        AttentionProblem problem = call.problem();
        if (problem.batch() == 0 || problem.queryLength() == 0) {
            return;
        }
        Attention attention = problem.attention();
        RowTiling tiling = RowTiling.of(call.tunables());
        ClKernel kernel = context.kernel("fused/forward_rows.cl", "forward_rows", defines(problem.dtype(), tiling));
        ClBuffer unused = call.output();
        ClKernel.Arguments arguments = kernel.arguments();
        call.query().asRows(arguments);
        call.key().asRows(arguments);
        call.value().asRows(arguments);
        int unitHeads = unitHeads(problem);
        boolean softcap = attention.softcap().isPresent();
        arguments
                .buffer(call.output())
                .buffer(call.logSumExp() == null ? unused : call.logSumExp())
                .integer(features(call))
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
        // At 32 bits keys and values are read where they lie.
        int widened = problem.dtype() == DType.FLOAT32 ? 0 : tiling.keyBlock();
        arguments
                .local(4L * problem.headDim() * tiling.rows())
                .local(4L * problem.valueDim() * tiling.rows())
                .local(4L * tiling.keyBlock() * tiling.rows())
                .local(Math.max(4L, 4L * widened * problem.headDim()))
                .local(Math.max(4L, 4L * widened * problem.valueDim()));
        long rows = (long) unitHeads * problem.queryLength();
        long units = (long) problem.batch() * problem.queryHeads() / unitHeads;
        long[] global = {(rows + tiling.rows() - 1) / tiling.rows(), units, 1};
        context.queue().launch(kernel, global, new long[] {1, 1, 1});
    }

    private static Map<String, Object> defines(DType dtype, RowTiling tiling) {
        Map<String, Object> defines = new HashMap<>(tiling.tunables().values());
        defines.put("STORAGE", dtype == DType.FLOAT32 ? 0 : dtype == DType.FLOAT16 ? 1 : 2);
        return defines;
    }

    /** The kernel's HAS_ bits. */
    private static int features(DeviceCall call) {
        return (call.problem().attention().softcap().isPresent() ? 1 : 0)
                | (call.mask() != null ? 2 : 0)
                | (call.bias() != null ? 4 : 0)
                | (call.logSumExp() != null ? 8 : 0)
                | (call.keyRanges() != null ? 16 : 0)
                | (call.alibiSlopes() != null ? 32 : 0)
                | (call.sinks() != null ? 64 : 0);
    }

    private Optional<RowTiling> tiling(AttentionProblem problem) {
        return RowTiling.choose(context.device(), problem, unitRows(problem));
    }

    private long unitRows(AttentionProblem problem) {
        return (long) unitHeads(problem) * problem.queryLength();
    }

    /** All heads of a group together where one head's queries would leave lanes empty, as in decoding. */
    private int unitHeads(AttentionProblem problem) {
        int group = problem.queryHeads() / problem.keyValueHeads();
        return problem.queryLength() < 2 * RowTiling.vectorWidth(context.device()) ? group : 1;
    }
}
