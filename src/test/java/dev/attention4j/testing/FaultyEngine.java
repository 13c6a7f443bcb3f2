package dev.attention4j.testing;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.GradientOptions;
import dev.attention4j.PlanChoice;
import dev.attention4j.Projector;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.reference.ReferenceEngine;
import java.lang.reflect.Field;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/** The oracle with three plans: a right one, one that errs, crashes and hangs on a case each, one that crashes often. */
public final class FaultyEngine implements AttentionEngine {
    public static final String RIGHT = "right";
    public static final String FAULTY = "faulty";
    public static final String DOOMED = "doomed";

    /** The scale of the case that this plan computes wrongly, and the case. */
    public static final double WRONG_SCALE = 0.7;

    public static final String WRONG_CASE = "scale/given";

    /** The same of the case that hangs. */
    public static final double HANGING_SCALE = -0.4;

    public static final String HANGING_CASE = "scale/negative";

    /** The softcap of the case that crashes. */
    public static final double CRASHING_SOFTCAP = 0.01;

    public static final String CRASHING_CASE = "softcap/small";

    private final ReferenceEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT);
    private final String plan;

    public FaultyEngine(EngineOptions options) {
        plan = options.plan();
    }

    @Override
    public EngineInfo info() {
        return FaultyProvider.FAULTY;
    }

    @Override
    public List<String> plans() {
        return List.of(RIGHT, FAULTY, DOOMED);
    }

    @Override
    public PlanChoice explain(AttentionProblem problem) {
        return new PlanChoice(plan, Map.of(), "", "on purpose");
    }

    @Override
    public PlanChoice explain(Tensor query, Tensor key, Tensor value, Attention attention) {
        return explain(AttentionProblem.of(query, key, value, attention));
    }

    @Override
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention) {
        double scale = attention.scale().orElse(1);
        double softcap = attention.softcap().orElse(0);
        if (plan.equals(DOOMED) && attention.softcap().isPresent()) {
            crash();
        }
        if (plan.equals(FAULTY) && softcap == CRASHING_SOFTCAP) {
            crash();
        }
        if (plan.equals(FAULTY) && scale == HANGING_SCALE) {
            hang();
        }
        AttentionResult result = oracle.attend(query, key, value, attention);
        if (plan.equals(FAULTY) && scale == WRONG_SCALE) {
            result.output().floats().put(3, 1e3f);
        }
        return new AttentionResult(
                result.output(),
                attention.wantsWeights() ? result.weights() : null,
                attention.wantsLogSumExp() ? result.logSumExp() : null,
                plan);
    }

    /** In native code, as a driver would. */
    private static void crash() {
        try {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field field = unsafe.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            unsafe.getMethod("putAddress", long.class, long.class).invoke(field.get(null), 0L, 0L);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("sun.misc.Unsafe", e);
        }
    }

    private static void hang() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public CompletableFuture<AttentionResult> attendAsync(Tensor query, Tensor key, Tensor value, Attention attention) {
        return oracle.attendAsync(query, key, value, attention);
    }

    @Override
    public AttentionGradients gradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient,
            GradientOptions gradientOptions) {
        return oracle.gradients(query, key, value, attention, result, outputGradient, gradientOptions);
    }

    @Override
    public Projector projector() {
        return oracle.projector();
    }

    @Override
    public TensorUpdates updates() {
        return oracle.updates();
    }

    @Override
    public Tensor upload(Tensor tensor) {
        return oracle.upload(tensor);
    }

    @Override
    public Tensor download(Tensor tensor) {
        return oracle.download(tensor);
    }

    @Override
    public Tensor zeros(DType dtype, long... shape) {
        return oracle.zeros(dtype, shape);
    }

    @Override
    public void scatter(List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts) {
        oracle.scatter(targets, sources, positions, counts);
    }

    @Override
    public AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        return oracle.scatter(targets, sources, copies, then);
    }

    @Override
    public AttentionResult merge(List<AttentionResult> parts) {
        return oracle.merge(parts);
    }

    @Override
    public Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        return oracle.rotate(heads, rotary, positions);
    }

    @Override
    public AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then) {
        return oracle.rotate(heads, rotary, positions, turnedType, then);
    }

    @Override
    public boolean isClosed() {
        return oracle.isClosed();
    }

    @Override
    public void close() {
        oracle.close();
    }
}
