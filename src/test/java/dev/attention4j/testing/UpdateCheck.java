package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates.Update;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;

/** Checks updates of tensors against their formulas in double. */
public final class UpdateCheck {
    /** Half a unit in the last place, and an OpenCL device's root, quotient and exponential are off by 3 units at most. */
    private static final double ROUNDING = 0x1p-24;

    private static final double DEVICE_FUNCTION = 3 * 0x1p-23;

    private final AttentionEngine engine;
    private final int count;
    private final double[] target;
    private final double[] source;
    private final double[] first;
    private final double[] second;

    /** Checks those of an engine that the caller closes, on tensors of this many elements. */
    public UpdateCheck(AttentionEngine engine, int count) {
        this.engine = engine;
        this.count = count;
        target = Tensor.random(1, count).toDoubleArray();
        source = Tensor.random(2, count).toDoubleArray();
        first = Tensor.random(3, count).toDoubleArray();
        // A mean of squares.
        second = Arrays.stream(Tensor.random(4, count).toDoubleArray())
                .map(x -> (float) (x * x))
                .toArray();
    }

    /** What an operation makes of an element. */
    private record Expected(double target, double first, double second) {}

    private interface Formula {
        Expected of(double target, double source, double first, double second);
    }

    /** Every operation on tensors of the device, and of the host, and with a source that is elsewhere. */
    public void everything() {
        check(Update.ADD, 1, (t, s, f, g) -> new Expected(t + s, f, g));
        check(Update.scale(0.3f), 0, (t, s, f, g) -> new Expected(t * 0.3f, f, g));
        check(Update.GATE, 3, (t, s, f, g) -> {
            double open = 1 / (1 + Math.exp(-f));
            return new Expected(t * open, f, t * s * open * (1 - open));
        });
        float rate = 0.1f;
        float decay = 0.01f;
        float kept = 0.9f;
        check(Update.sgd(rate, decay, 0, false), 1, (t, s, f, g) -> new Expected(t - rate * (s + decay * t), f, g));
        check(Update.sgd(rate, decay, kept, false), 2, (t, s, f, g) -> {
            double sum = kept * f + s + decay * t;
            return new Expected(t - rate * sum, sum, g);
        });
        check(Update.sgd(rate, decay, kept, true), 2, (t, s, f, g) -> {
            double gradient = s + decay * t;
            double sum = kept * f + gradient;
            return new Expected(t - rate * (gradient + kept * sum), sum, g);
        });
        check(Update.adam(0.1, 0.99, 0.01, 0.9, 0.99, 1e-8, 3), 3, (t, s, f, g) -> {
            double gradient = s + 0.01 * t;
            double mean = 0.9 * f + (1 - 0.9) * gradient;
            double square = 0.99 * g + (1 - 0.99) * gradient * gradient;
            double direction = mean / (1 - Math.pow(0.9, 3)) / (Math.sqrt(square / (1 - Math.pow(0.99, 3))) + 1e-8);
            return new Expected(0.99 * t - 0.1 * direction, mean, square);
        });
        double squares = Arrays.stream(source).map(x -> x * x).sum();
        try (Tensor there = view(source)) {
            // Sums of 64 squares in each lane, and of 16 lanes.
            assertThat(Math.abs(engine.updates().sumOfSquares(there) - squares))
                    .isLessThanOrEqualTo(85 * ROUNDING * squares);
        }
    }

    private void check(Update update, int tensors, Formula formula) {
        for (boolean hostSource : new boolean[] {false, true}) {
            for (boolean host : new boolean[] {false, true}) {
                check(update, tensors, formula, host, hostSource);
            }
        }
    }

    private void check(Update update, int tensors, Formula formula, boolean host, boolean hostSource) {
        Tensor onHost = tensor(target);
        try (Tensor changed = host ? onHost : view(target);
                Tensor read = hostSource ? tensor(source) : view(source);
                Tensor one = host ? tensor(first) : view(first);
                Tensor two = host ? tensor(second) : view(second)) {
            engine.updates()
                    .update(
                            update,
                            changed,
                            tensors > 0 ? read : null,
                            tensors > 1 ? one : null,
                            tensors > 2 ? two : null);
            compare(update, changed, n -> expected(formula, n).target);
            compare(update, one, n -> expected(formula, n).first);
            compare(update, two, n -> expected(formula, n).second);
            assertThat(read.toDoubleArray()).containsExactly(source);
        }
    }

    private Expected expected(Formula formula, int n) {
        return formula.of(target[n], source[n], first[n], second[n]);
    }

    private void compare(Update update, Tensor got, IntToDoubleFunction expected) {
        double[] elements = got.toDoubleArray();
        for (int n = 0; n < count; n++) {
            double mustBe = expected.applyAsDouble(n);
            // No formula has more than ten operations and three functions, on numbers no larger than these together.
            double size = Math.abs(mustBe) + Math.abs(target[n]) + Math.abs(source[n]) + Math.abs(first[n]);
            double tolerance = size * (10 * ROUNDING + 3 * DEVICE_FUNCTION);
            assertThat(Math.abs(elements[n] - mustBe))
                    .as("%s of element %d on %s: %s, must be %s", update, n, engine, elements[n], mustBe)
                    .isLessThanOrEqualTo(tolerance);
        }
    }

    private static Tensor tensor(double[] elements) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, elements.length);
        for (int n = 0; n < elements.length; n++) {
            tensor.floats().put(n, (float) elements[n]);
        }
        return tensor;
    }

    /** Returns a tensor where the engine computes that does not begin where its memory does. */
    private Tensor view(double[] elements) {
        double[] longer = new double[elements.length + 3];
        System.arraycopy(elements, 0, longer, 3, elements.length);
        return engine.upload(tensor(longer)).slice(0, 3, longer.length);
    }
}
