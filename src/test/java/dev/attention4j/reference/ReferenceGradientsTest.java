package dev.attention4j.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The gradients' formulas against finite differences of {@link ReferenceAttention}: central ones of two steps, from which those of a
 * step of 0 are extrapolated. Query, key and value vary in double; options, which are floats, by steps that floats represent.
 */
class ReferenceGradientsTest {
    private static final int BATCH = 2;
    private static final int HEADS = 4;
    private static final int SHARED = 2;
    private static final int QUERIES = 5;
    private static final int KEYS = 6;
    private static final int DIM = 3;
    private static final int VALUE_DIM = 2;
    private static final double FLOAT_STEP = 1.0 / 128;

    private final Random random = new Random(5);

    static Map<String, UnaryOperator<AttentionBuilder>> options() {
        Map<String, UnaryOperator<AttentionBuilder>> all = new LinkedHashMap<>();
        all.put("none", builder -> builder);
        all.put("scale", builder -> builder.scale(-0.8));
        all.put("softcap", builder -> builder.softcap(0.7));
        all.put("causal", builder -> builder.causal(Alignment.TOP_LEFT));
        all.put("causal at the end", builder -> builder.causal(Alignment.BOTTOM_RIGHT));
        all.put("offsets, rows without a key", builder -> builder.causalOffsets(-3, 2));
        all.put("window", builder -> builder.window(1, 2));
        all.put("key lengths", builder -> builder.keyLengths(0, 4));
        all.put("mask", builder -> builder.mask(mask(1, HEADS, QUERIES, KEYS)));
        all.put("mask of keys", builder -> builder.mask(mask(BATCH, 1, 1, KEYS)));
        all.put("query mask", builder -> builder.queryMask(mask(BATCH, QUERIES)));
        all.put("bias", builder -> builder.bias(numbers(BATCH, HEADS, QUERIES, KEYS)));
        all.put("bias of heads", builder -> builder.bias(numbers(HEADS, 1, KEYS)));
        all.put("bias of queries", builder -> builder.bias(numbers(1, 1, QUERIES, 1)));
        all.put("bias that masks", builder -> builder.bias(masking(numbers(QUERIES, KEYS))));
        all.put("ALiBi", builder -> builder.alibiSlopes(0.5f, 0.25f, -0.125f, 1f));
        all.put("ALiBi of batch rows", builder -> builder.alibiSlopes(
                        0.5f, 0.25f, -0.125f, 1f, 0.75f, 0f, 0.375f, -0.5f)
                .causal(Alignment.TOP_LEFT));
        all.put("sinks", builder -> builder.sinks(0.5f, Float.NEGATIVE_INFINITY, -1f, 2f));
        all.put("sinks of rows without a key", builder -> builder.sinks(0.5f, 1f, -1f, 2f)
                .keyLengths(0, 3));
        all.put("score", builder -> builder.score("score * gain", ScoreParameters.NONE.with("gain", 0.75)));
        all.put("score with tables", builder -> builder.softcap(1.5)
                .score(
                        "tanh(score) * gain + bend[abs(query - key)] * exp(bend[head] * 0.5) - gain * gain",
                        ScoreParameters.NONE.with("gain", 0.75).with("bend", new float[] {0.25f, -0.5f, 0.75f, 0.125f
                        })));
        all.put(
                "score that masks",
                builder -> builder.score(
                        "key == query ? -1.0 / 0.0 : score / gain", ScoreParameters.NONE.with("gain", 1.25)));
        all.put("mask expression", builder -> builder.maskIf("(key + query) % 3 != 0"));
        all.put("dropout", builder -> builder.dropout(0.4, 9));
        all.put("dropout of rows without a key", builder -> builder.dropout(0.7, 10)
                .sinks(0.5f, 1f, -1f, 2f)
                .keyLengths(0, 3)
                .bias(numbers(BATCH, HEADS, QUERIES, KEYS)));
        all.put("all", builder -> builder.softcap(2)
                .dropout(0.3, 11)
                .window(3, 1)
                .mask(mask(QUERIES, KEYS))
                .bias(numbers(HEADS, QUERIES, KEYS))
                .alibiSlopes(0.5f, 0.25f, -0.125f, 1f)
                .sinks(0.5f, 1f, -1f, 2f)
                .score("score * gain + 0.5", ScoreParameters.NONE.with("gain", 0.75)));
        return all;
    }

    static Set<String> names() {
        return options().keySet();
    }

    @ParameterizedTest
    @MethodSource("names")
    void areThoseOfFiniteDifferences(String name) {
        check(BATCH, options().get(name).apply(Attention.builder()).build());
    }

    @ParameterizedTest
    @MethodSource("packed")
    void areThoseOfFiniteDifferencesOfPackedSequences(Attention attention) {
        check(1, attention);
    }

    static Set<Attention> packed() {
        return Set.of(
                Attention.builder()
                        .cumulativeLengths(new int[] {0, 2, 2, 5}, new int[] {0, 3, 4, 6})
                        .build(),
                Attention.builder()
                        .cumulativeLengths(new int[] {0, 3, 5}, new int[] {0, 2, 6})
                        .causal(Alignment.BOTTOM_RIGHT)
                        .alibiSlopes(0.5f, 0.25f, -0.125f, 1f, 0.75f, 0f, 0.375f, -0.5f)
                        .build());
    }

    private void check(int batch, Attention attention) {
        AttentionProblem problem =
                new AttentionProblem(batch, HEADS, SHARED, QUERIES, KEYS, DIM, VALUE_DIM, DType.FLOAT32, attention);
        double[] q = doubles(batch * HEADS * QUERIES * DIM);
        double[] k = doubles(batch * SHARED * KEYS * DIM);
        double[] v = doubles(batch * SHARED * KEYS * VALUE_DIM);
        double[] g = doubles(batch * HEADS * QUERIES * VALUE_DIM);
        double[] h = doubles(batch * HEADS * QUERIES);
        GradientOptions options = GradientOptions.DEFAULT.withLogSumExpGradient(tensor(h, batch, HEADS, QUERIES));
        options = attention.bias().isPresent() ? options.withBias() : options;
        options = attention.sinks().length > 0 ? options.withSinks() : options;
        options = attention.alibiSlopes().length > 0 ? options.withAlibiSlopes() : options;
        Map<String, double[]> parameters = new LinkedHashMap<>();
        if (attention.score().isPresent()) {
            for (String name :
                    attention.score().get().toString().contains("bend") ? List.of("gain", "bend") : List.of("gain")) {
                options = options.withParameter(name);
                parameters.put(name, null);
            }
        }
        Function f = new Function(problem, q, k, v, g, h);
        GradientCall call = new GradientCall(
                problem, f.query(q), f.key(k), f.value(v), null, null, tensor(g, problem.outputShape()), options);
        ReferenceGradients gradients = ReferenceGradients.compute(call);

        compare("query", gradients.query(), 1e-3, n -> step -> f.with(q, n, step, f::of));
        compare("key", gradients.key(), 1e-3, n -> step -> f.with(k, n, step, f::of));
        compare("value", gradients.value(), 1e-3, n -> step -> f.with(v, n, step, f::of));
        if (options.bias()) {
            float[] bias = attention.bias().get().toFloatArray();
            long[] shape = attention.bias().get().shape();
            compare(
                    "bias",
                    gradients.bias(),
                    FLOAT_STEP,
                    n -> step -> f.of(builder -> builder.bias(Tensor.of(with(bias, n, step), shape))));
        }
        if (options.sinks()) {
            float[] sinks = attention.sinks();
            compare(
                    "sinks",
                    gradients.sinks(),
                    FLOAT_STEP,
                    n -> step -> f.of(builder -> builder.sinks(with(sinks, n, step))));
        }
        if (options.alibiSlopes()) {
            float[] slopes = attention.alibiSlopes();
            compare(
                    "slopes",
                    gradients.alibiSlopes(),
                    FLOAT_STEP,
                    n -> step -> f.of(builder -> builder.alibiSlopes(with(slopes, n, step))));
        }
        for (String name : parameters.keySet()) {
            compare(
                    name,
                    gradients.parameters().get(name),
                    FLOAT_STEP,
                    n -> step -> f.of(builder -> change(builder, attention, name, n, step)));
        }
    }

    private static void compare(
            String what, double[] gradient, double step, IntFunction<DoubleUnaryOperator> function) {
        for (int n = 0; n < gradient.length; n++) {
            DoubleUnaryOperator f = function.apply(n);
            double one = (f.applyAsDouble(step) - f.applyAsDouble(-step)) / (2 * step);
            double two = (f.applyAsDouble(2 * step) - f.applyAsDouble(-2 * step)) / (4 * step);
            double slope = (4 * one - two) / 3;
            assertThat(gradient[n]).as(what + " " + n).isCloseTo(slope, within(3e-7 * Math.max(1, Math.abs(slope))));
        }
    }

    /** The function of a call's results whose gradients are computed: Σ g · output + Σ h · log-sum-exp. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record Function(AttentionProblem problem, double[] q, double[] k, double[] v, double[] g, double[] h) {
        Tensor query(double[] numbers) {
            return tensor(numbers, problem.batch(), HEADS, QUERIES, DIM);
        }

        Tensor key(double[] numbers) {
            return tensor(numbers, problem.batch(), SHARED, KEYS, DIM);
        }

        Tensor value(double[] numbers) {
            return tensor(numbers, problem.batch(), SHARED, KEYS, VALUE_DIM);
        }

        double of() {
            return of(problem);
        }

        double of(Consumer<AttentionBuilder> change) {
            AttentionBuilder builder = problem.attention().toBuilder();
            change.accept(builder);
            return of(new AttentionProblem(
                    problem.batch(), HEADS, SHARED, QUERIES, KEYS, DIM, VALUE_DIM, DType.FLOAT32, builder.build()));
        }

        private double of(AttentionProblem changed) {
            ReferenceAttention result = ReferenceAttention.compute(changed, query(q), key(k), value(v));
            double sum = 0;
            for (int n = 0; n < g.length; n++) {
                sum += g[n] * result.output()[n];
            }
            for (int n = 0; n < h.length; n++) {
                sum += result.logSumExp()[n] == Double.NEGATIVE_INFINITY ? 0 : h[n] * result.logSumExp()[n];
            }
            return sum;
        }

        double with(double[] numbers, int n, double step, DoubleSupplier function) {
            double before = numbers[n];
            numbers[n] += step;
            double result = function.getAsDouble();
            numbers[n] = before;
            return result;
        }
    }

    /** The parameters of the cases above, one of them changed. */
    private static void change(AttentionBuilder builder, Attention attention, String name, int n, double step) {
        String text = attention.score().orElseThrow().toString();
        double gain = text.contains("/ gain") ? 1.25 : 0.75;
        ScoreParameters parameters = ScoreParameters.NONE.with("gain", gain + (name.equals("gain") ? step : 0));
        if (text.contains("bend")) {
            float[] bend = {0.25f, -0.5f, 0.75f, 0.125f};
            parameters = parameters.with("bend", name.equals("bend") ? with(bend, n, step) : bend);
        }
        builder.score(text, parameters);
    }

    private static float[] with(float[] numbers, int n, double step) {
        float[] changed = numbers.clone();
        changed[n] += (float) step;
        return changed;
    }

    private double[] doubles(int count) {
        return random.doubles(count, -1, 1).toArray();
    }

    private static Tensor tensor(double[] numbers, long... shape) {
        Tensor tensor = Tensor.zeros(DType.FLOAT64, shape);
        tensor.bytes().asDoubleBuffer().put(numbers);
        return tensor;
    }

    /** Numbers that a step changes exactly. */
    private static Tensor numbers(long... shape) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, shape);
        Random random = new Random(3);
        for (int n = 0; n < tensor.elementCount(); n++) {
            tensor.floats().put(n, (random.nextInt(128) - 64) / 64f);
        }
        return tensor;
    }

    private static Tensor masking(Tensor bias) {
        for (int n = 0; n < bias.elementCount(); n += 4) {
            bias.floats().put(n, Float.NEGATIVE_INFINITY);
        }
        return bias;
    }

    private static Tensor mask(long... shape) {
        Random random = new Random(4);
        int count = 1;
        for (long size : shape) {
            count *= (int) size;
        }
        boolean[] mask = new boolean[count];
        for (int n = 0; n < count; n++) {
            mask[n] = random.nextInt(3) > 0;
        }
        return Tensor.of(mask, shape);
    }
}
