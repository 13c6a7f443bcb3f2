package dev.attention4j.opencl.backward;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Plan;
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
import java.util.Set;

/**
 * The gradients of attention on a device, by the kernels of {@code opencl/backward/}: what its ways have in common. In both a
 * row's output, its gradient and the log-sum-exp are brought into floats first.
 */
public abstract sealed class BackwardPlan implements Plan<Workload, BackwardCall> permits BackwardRows, BackwardTiles {
    /** Rows of a work-item of a step that only passes over rows. */
    static final int ROWS_EACH = 64;

    private static final StructLayout PREPROCESS = StructLayout.of("backward/backward_preprocess.cl", "PreprocessCall");
    private static final StructLayout BIAS = StructLayout.of("backward/backward_bias.cl", "BiasStrides");

    final DeviceContext context;
    final LoopLimit limit;
    private final Map<OfScores, ClKernel> ofScores = new HashMap<>();

    /** The key of a kernel that computes scores, whose expressions are printed once. */
    private record OfScores(String name, Map<String, Object> tiling, StorageTypes storage, String expressions) {}

    /**
     * The output of backward_preprocess, read by the kernels after it.
     *
     * @param forward the call, whose query has been copied where kernels need floats, one row after another
     * @param gradients the output's gradient as floats, row-major
     */
    record Rows(DeviceCall forward, ClBuffer gradients, ClBuffer logSumExps, ClBuffer rests) {
        ClKernel.Arguments addTo(ClKernel.Arguments arguments) {
            return arguments.buffer(gradients).buffer(logSumExps).buffer(rests);
        }
    }

    BackwardPlan(DeviceContext context) {
        this.context = context;
        limit = LoopLimit.of(context.device());
    }

    /** Returns the ways of a device, in the order that suits its class. */
    public static List<BackwardPlan> of(DeviceContext context) {
        BackwardPlan rows = new BackwardRows(context);
        BackwardPlan tiles = new BackwardTiles(context);
        return context.device().isCpuClass() ? List.of(rows, tiles) : List.of(tiles, rows);
    }

    /** Returns why the device would cut the loops of a work-item short; empty if it would not. */
    public abstract Optional<String> loopExcess(Workload problem, Tunables tunables);

    static long runs(long rows) {
        return (rows + ROWS_EACH - 1) / ROWS_EACH;
    }

    /** Launches work-groups of one work-item. */
    final void launch(ClKernel kernel, long... groups) {
        context.queue().launch(kernel, groups, new long[] {1, 1, 1});
    }

    /**
     * Enqueues the first step.
     *
     * @param readsFloats true if kernels read the query as floats, one row after another
     */
    final Rows prepare(BackwardCall call, int vectorWidth, boolean readsFloats) {
        DeviceCall forward = call.forward();
        Workload problem = forward.workload();
        long rows = problem.rows();
        boolean liesSo = problem.storage().query() == DType.FLOAT32
                && (problem.queryLength() <= 1 || forward.query().strides()[2] == problem.headDim());
        boolean copiesQuery = readsFloats && !liesSo;
        boolean copiesGradient = call.gradientType() != DType.FLOAT32
                || !call.outputGradient()
                        .isRowMajor(problem.batch(), problem.queryHeads(), problem.queryLength(), problem.valueDim());
        Rows prepared = new Rows(
                copiesQuery ? forward.withQuery(forward.scratch().apply(4L * rows * problem.headDim())) : forward,
                copiesGradient
                        ? forward.scratch().apply(4L * rows * problem.valueDim())
                        : call.outputGradient().buffer(),
                forward.scratch().apply(4L * rows),
                forward.scratch().apply(4L * rows));
        preprocess(call, prepared, vectorWidth, copiesQuery, copiesGradient);
        return prepared;
    }

    private void preprocess(
            BackwardCall call, Rows prepared, int vectorWidth, boolean copiesQuery, boolean copiesGradient) {
        DeviceCall forward = call.forward();
        Workload problem = forward.workload();
        if (problem.rows() == 0) {
            return;
        }
        ClKernel kernel = context.kernel(
                "backward/backward_preprocess.cl",
                "backward_preprocess",
                Map.of(
                        "STORAGE", CommonMacros.storage(problem.storage().query()),
                        "GRADIENT_STORAGE", CommonMacros.storage(call.gradientType()),
                        "VECTOR_WIDTH", vectorWidth));
        Operand ofLogSumExp = call.logSumExpGradient();
        StructLayout.Values numbers = PREPROCESS
                .values()
                .put("heads", problem.queryHeads())
                .put("queries", problem.queryLength())
                .put("queryDim", copiesQuery ? problem.headDim() : 0)
                .put("valueDim", problem.valueDim())
                .put("copiesGradient", copiesGradient ? 1 : 0)
                .put("hasLogSumExpGradient", ofLogSumExp == null ? 0 : 1)
                .put("rows", (int) problem.rows())
                .put("rowsEach", ROWS_EACH);
        Operand.put(numbers, Operand.rows("query"), forward.query());
        Operand.put(numbers, Operand.rows("output"), call.output());
        Operand.put(numbers, Operand.rows("outputGradient"), call.outputGradient());
        Operand.put(numbers, Operand.rows("logSumExp"), call.logSumExp());
        Operand.put(numbers, Operand.rows("logSumExpGradient"), ofLogSumExp);
        ClKernel.Arguments arguments = kernel.arguments()
                .buffer(forward.query().buffer())
                .buffer(call.output().buffer())
                .buffer(call.outputGradient().buffer())
                .buffer(call.logSumExp().buffer())
                .buffer(ofLogSumExp == null ? call.logSumExp().buffer() : ofLogSumExp.buffer())
                .buffer(prepared.forward().query().buffer());
        prepared.addTo(arguments).struct(numbers);
        launch(kernel, runs(problem.rows()), 1, 1);
    }

    /**
     * Enqueues the gradients of what rows share: sinks and slopes.
     *
     * @param slopeParts [splits, batch, queryHeads, queries]
     */
    final void ofHeads(BackwardCall call, Rows prepared, ClBuffer slopeParts, int splits) {
        AttentionProblem whole = call.forward().problem();
        if (call.sinks() != null) {
            heads(call, prepared, prepared.rests(), call.sinks(), true, 1, whole.queryHeads());
        }
        if (call.slopes() != null) {
            int slopes = whole.attention().alibiSlopes().length;
            heads(call, prepared, slopeParts, call.slopes(), false, splits, slopes);
        }
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

    /** Enqueues the gradient of a bias, if it is wanted. */
    final void bias(BackwardCall call, Rows prepared, BackwardTiling tiling) {
        DeviceCall forward = call.forward();
        AttentionProblem problem = forward.problem();
        if (call.bias() == null || problem.attention().bias().orElseThrow().elementCount() == 0) {
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
        Map<String, Object> defines = new HashMap<>(tiling.tunables().values());
        defines.remove("DIM_TILE");
        ClKernel kernel = ofScores("backward_bias", forward, defines, tiling.vectorWidth());
        prepared.addTo(prepared.forward().argumentsOfScores(kernel, 1))
                .buffer(call.bias())
                .struct(numbers)
                .local(tiling.biasBytes(forward.workload()));
        launch(
                kernel,
                strides[3] == 0 ? 1 : (problem.keyLength() + tiling.keys() - 1L) / tiling.keys(),
                strides[2] == 0 ? 1 : (problem.queryLength() + tiling.queryBlock() - 1L) / tiling.queryBlock(),
                (strides[0] == 0 ? 1L : problem.batch()) * heads);
    }

    /**
     * Returns a kernel that computes scores.
     *
     * @param width of its vectors of keys; where that is not 1 the query is floats
     */
    final ClKernel ofScores(String name, DeviceCall forward, Map<String, Object> tiling, int width) {
        Workload problem = forward.workload();
        StorageTypes given = problem.storage();
        StorageTypes storage = width == 1 ? given : new StorageTypes(DType.FLOAT32, given.key(), given.value());
        return ofScores.computeIfAbsent(
                new OfScores(name, tiling, storage, problem.expressions()),
                build -> build(build, forward.expressions(), width));
    }

    private ClKernel build(OfScores build, Expressions expressions, int width) {
        Map<String, Object> defines = new HashMap<>(build.tiling);
        CommonMacros.define(build.storage, false, defines);
        CommonMacros.expressions(expressions, false, defines);
        Set<Variable> vectors = width == 1 ? EnumSet.noneOf(Variable.class) : EnumSet.of(Variable.SCORE, Variable.KEY);
        String functions = expressions.openClTextOfGradients(width, vectors);
        return context.kernelWithMoreRegisters("backward/" + build.name + ".cl", build.name, defines, functions);
    }
}
