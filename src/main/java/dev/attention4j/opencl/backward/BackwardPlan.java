package dev.attention4j.opencl.backward;

import dev.attention4j.AttentionProblem;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.StructLayout;
import dev.attention4j.spi.GradientCall;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The gradients of attention, for CPU-class devices: launches the kernels of {@code opencl/backward/}. One pass over the queries for
 * each tile of keys gives all of them, the bias's aside: five products where the forward pass has two.
 *
 * <p>A work-group has the queries of a key/value head to itself. Where there are few heads, the tiles of keys are split over several
 * work-groups, each with sums of its own for the queries, which are then added in order: the same bits each time.
 */
public final class BackwardPlan implements Plan<Workload, BackwardCall> {
    /** The name of this plan. */
    public static final String NAME = "keys";

    /** Rows of a work-item of a step that only passes over rows. */
    private static final int ROWS_EACH = 64;

    /** Each split has a copy of the gradients of queries, in floats. */
    private static final int MOST_SPLITS = 16;

    private static final StructLayout PREPROCESS = StructLayout.of("backward/backward_preprocess.cl", "PreprocessCall");
    private static final StructLayout BIAS = StructLayout.of("backward/backward_bias.cl", "BiasStrides");

    private final DeviceContext context;
    private final LoopLimit limit;
    private final Map<OfScores, ClKernel> ofScores = new HashMap<>();

    /** The key of a kernel that computes scores, whose expressions are printed once. */
    private record OfScores(String name, BackwardTiling tiling, StorageTypes storage, String expressions) {}

    /** Makes the plan on one device. */
    public BackwardPlan(DeviceContext context) {
        this.context = context;
        limit = LoopLimit.of(context.device());
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public TunableSpace<BackwardTiling> tunableSpace() {
        return BackwardTiling.SPACE;
    }

    @Override
    public List<Tunables> defaults(Workload problem) {
        return BackwardTiling.of(context.device(), problem).stream()
                .map(BackwardTiling::tunables)
                .toList();
    }

    @Override
    public List<Tunables> candidates(Workload problem) {
        return BackwardTiling.candidates(context.device()).stream()
                .map(BackwardTiling::tunables)
                .toList();
    }

    @Override
    public Optional<String> whyNot(Workload problem, Tunables tunables) {
        return BackwardTiling.whyNot(context.device(), problem, tunables);
    }

    /** Returns why the device would cut the loops of a work-item short; empty if it would not. */
    public Optional<String> loopExcess(Workload problem, Tunables tunables) {
        double pairs = (double) problem.group() * (problem.queryLength() + 8) * (problem.keyLength() + 64);
        return limit.isNone()
                ? Optional.empty()
                : limit.whyNotIterations(pairs * (problem.headDim() + problem.valueDim() + 16) / 4);
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        BackwardTiling tiling = BackwardTiling.SPACE.of(tunables);
        return "one pass for each tile of keys, " + tiling + ", keys split " + splits(problem, tiling) + " times, "
                + ((tiling.localBytes(problem) + 1023) >> 10) + " of "
                + (context.device().localMemoryBytes() >> 10) + " KiB of local memory";
    }

    /** Work-groups enough for every core twice, but none without a tile of keys. */
    private int splits(Workload problem, BackwardTiling tiling) {
        long units = (long) problem.batch() * problem.keyValueHeads();
        long wanted = (2L * context.device().computeUnits() + units - 1) / Math.max(1, units);
        long tiles = (problem.keyLength() + tiling.keys() - 1L) / tiling.keys();
        return (int) Math.max(1, Math.min(MOST_SPLITS, Math.min(wanted, tiles)));
    }

    /** The output of backward_preprocess, read by the kernels after it. */
    private record Rows(ClBuffer gradients, ClBuffer logSumExps, ClBuffer rests) {}

    @Override
    public void enqueue(BackwardCall call) {
        DeviceCall forward = call.forward();
        Workload problem = forward.workload();
        BackwardTiling tiling = BackwardTiling.SPACE.of(forward.tunables());
        int splits = splits(problem, tiling);
        long rows = problem.rows();
        Rows prepared = new Rows(
                forward.scratch().apply(4L * rows * problem.valueDim()),
                forward.scratch().apply(4L * rows),
                forward.scratch().apply(4L * rows));
        preprocess(call, prepared, tiling);
        int padded = tiling.vectors(problem.headDim()) * tiling.vectorWidth();
        ClBuffer parts = forward.scratch().apply(4L * splits * rows * padded);
        ClBuffer slopeParts =
                call.slopes() == null ? prepared.rests() : forward.scratch().apply(4L * splits * rows);
        if (problem.batch() > 0) {
            ClKernel kernel = ofScores("backward_key_value", forward, tiling);
            ofRows(forward.argumentsOfScores(kernel, 1), prepared)
                    .buffer(call.keyGradient())
                    .buffer(call.valueGradient())
                    .buffer(parts)
                    .buffer(slopeParts)
                    .integer(call.slopes() == null ? 0 : 1)
                    .local(tiling.keyValueBytes(problem));
            launch(kernel, splits, (long) problem.batch() * problem.keyValueHeads(), 1);
        }
        if (rows > 0) {
            ClKernel kernel = context.kernel(
                    "backward/backward_query.cl", "backward_query", Map.of("VECTOR_WIDTH", tiling.vectorWidth()));
            kernel.arguments()
                    .buffer(parts)
                    .buffer(call.queryGradient())
                    .integer(splits)
                    .longInteger(rows)
                    .integer(problem.headDim())
                    .integer(ROWS_EACH);
            launch(kernel, runs(rows), 1, 1);
        }
        AttentionProblem whole = forward.problem();
        if (call.sinks() != null) {
            heads(call, prepared, prepared.rests(), call.sinks(), true, 1, whole.queryHeads());
        }
        if (call.slopes() != null) {
            int slopes = whole.attention().alibiSlopes().length;
            heads(call, prepared, slopeParts, call.slopes(), false, splits, slopes);
        }
        if (call.bias() != null) {
            bias(call, prepared, tiling);
        }
    }

    private static long runs(long rows) {
        return (rows + ROWS_EACH - 1) / ROWS_EACH;
    }

    private void launch(ClKernel kernel, long... groups) {
        context.queue().launch(kernel, groups, new long[] {1, 1, 1});
    }

    private static ClKernel.Arguments ofRows(ClKernel.Arguments arguments, Rows rows) {
        return arguments.buffer(rows.gradients()).buffer(rows.logSumExps()).buffer(rows.rests());
    }

    private void preprocess(BackwardCall call, Rows prepared, BackwardTiling tiling) {
        Workload problem = call.forward().workload();
        if (problem.rows() == 0) {
            return;
        }
        ClKernel kernel = context.kernel(
                "backward/backward_preprocess.cl",
                "backward_preprocess",
                Map.of(
                        "STORAGE", CommonMacros.storage(problem.storage().query()),
                        "GRADIENT_STORAGE", CommonMacros.storage(call.gradientType()),
                        "VECTOR_WIDTH", tiling.vectorWidth()));
        Operand ofLogSumExp = call.logSumExpGradient();
        StructLayout.Values numbers = PREPROCESS
                .values()
                .put("heads", problem.queryHeads())
                .put("queries", problem.queryLength())
                .put("valueDim", problem.valueDim())
                .put("hasLogSumExpGradient", ofLogSumExp == null ? 0 : 1)
                .put("rows", (int) problem.rows())
                .put("rowsEach", ROWS_EACH);
        Operand.put(numbers, Operand.rows("output"), call.output());
        Operand.put(numbers, Operand.rows("outputGradient"), call.outputGradient());
        Operand.put(numbers, Operand.rows("logSumExp"), call.logSumExp());
        Operand.put(numbers, Operand.rows("logSumExpGradient"), ofLogSumExp);
        ClKernel.Arguments arguments = kernel.arguments()
                .buffer(call.output().buffer())
                .buffer(call.outputGradient().buffer())
                .buffer(call.logSumExp().buffer())
                .buffer(ofLogSumExp == null ? call.logSumExp().buffer() : ofLogSumExp.buffer());
        ofRows(arguments, prepared).struct(numbers);
        launch(kernel, runs(problem.rows()), 1, 1);
    }

    private void heads(
            BackwardCall call,
            Rows prepared,
            ClBuffer parts,
            ClBuffer gradient,
            boolean ofSinks,
            int splits,
            int count) {
        DeviceCall forward = call.forward();
        Map<String, Object> defines = new HashMap<>();
        CommonMacros.define(forward.workload().storage(), false, defines);
        ClKernel kernel = context.kernel("backward/backward_heads.cl", "backward_heads", defines);
        forward.arguments(kernel, 1)
                .buffer(prepared.logSumExps())
                .buffer(prepared.rests())
                .buffer(parts)
                .buffer(gradient)
                .integer(ofSinks ? 1 : 0)
                .integer(splits)
                .integer(forward.problem().batch());
        launch(kernel, count, 1, 1);
    }

    private void bias(BackwardCall call, Rows prepared, BackwardTiling tiling) {
        DeviceCall forward = call.forward();
        AttentionProblem problem = forward.problem();
        if (problem.attention().bias().orElseThrow().elementCount() == 0) {
            return;
        }
        int[] strides = GradientCall.biasStrides(problem);
        int heads = strides[1] == 0 ? 1 : problem.queryHeads();
        StructLayout.Values numbers = BIAS.values()
                .put("batchStride", (long) strides[0])
                .put("headStride", (long) strides[1])
                .put("queryStride", (long) strides[2])
                .put("keyStride", (long) strides[3])
                .put("batches", problem.batch())
                .put("biasHeads", heads);
        ClKernel kernel = ofScores("backward_bias", forward, tiling);
        ofRows(forward.argumentsOfScores(kernel, 1), prepared)
                .buffer(call.bias())
                .struct(numbers)
                .local(tiling.biasBytes(forward.workload()));
        launch(
                kernel,
                strides[3] == 0 ? 1 : (problem.keyLength() + tiling.keys() - 1L) / tiling.keys(),
                strides[2] == 0 ? 1 : (problem.queryLength() + tiling.queryBlock() - 1L) / tiling.queryBlock(),
                (strides[0] == 0 ? 1L : problem.batch()) * heads);
    }

    /** Returns a kernel that computes scores. */
    private ClKernel ofScores(String name, DeviceCall forward, BackwardTiling tiling) {
        Workload problem = forward.workload();
        return ofScores.computeIfAbsent(
                new OfScores(name, tiling, problem.storage(), problem.expressions()),
                build -> build(build, forward.expressions()));
    }

    private ClKernel build(OfScores build, Expressions expressions) {
        Map<String, Object> defines = new HashMap<>(build.tiling.tunables().values());
        CommonMacros.define(build.storage, false, defines);
        CommonMacros.expressions(expressions, false, defines);
        if (build.name.equals("backward_bias")) {
            defines.remove("DIM_TILE");
        }
        String functions =
                expressions.openClTextOfGradients(build.tiling.vectorWidth(), EnumSet.of(Variable.SCORE, Variable.KEY));
        return context.kernel("backward/" + build.name + ".cl", build.name, defines, functions);
    }
}
