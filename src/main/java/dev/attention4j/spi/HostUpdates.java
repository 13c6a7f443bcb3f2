package dev.attention4j.spi;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Updates of tensors on the host, in plain Java float on all cores. */
public final class HostUpdates {
    /** Elements of a task. */
    private static final int TASK = 1 << 15;

    private HostUpdates() {}

    /** Refuses tensors that do not fit each other, or belong to another engine. */
    public static void check(
            AttentionEngine engine,
            TensorUpdates.Update update,
            Tensor target,
            Tensor source,
            Tensor first,
            Tensor second) {
        check(engine, "target", target);
        boolean gated = update.operation() == TensorUpdates.Operation.GATE;
        boolean adam = update.operation() == TensorUpdates.Operation.ADAM;
        boolean summed = update.operation() == TensorUpdates.Operation.MOMENTUM
                || update.operation() == TensorUpdates.Operation.NESTEROV;
        check(engine, "source", source, target, update.operation() != TensorUpdates.Operation.SCALE);
        check(engine, "first", first, target, gated || adam || summed);
        check(engine, "second", second, target, gated || adam);
        for (Tensor changed : new Tensor[] {first, second}) {
            if (changed != null && changed.isOnHost() != target.isOnHost()) {
                throw new IllegalArgumentException(
                        (changed == first ? "first: " : "second: ") + changed + ", must be where the target is");
            }
        }
    }

    private static void check(AttentionEngine engine, String name, Tensor tensor, Tensor target, boolean wanted) {
        if (wanted != (tensor != null)) {
            throw new IllegalArgumentException(
                    name + ": " + (wanted ? "null, must be a tensor" : tensor + ", must be null for this operation"));
        }
        if (!wanted) {
            return;
        }
        check(engine, name, tensor);
        if (!Arrays.equals(tensor.shape(), target.shape())) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must be "
                    + Arrays.toString(target.shape()) + TensorChecks.differs(tensor, target.shape()));
        }
    }

    /** Refuses a tensor that is not float32, row-major and of an engine or on the host. */
    public static void check(AttentionEngine engine, String name, Tensor tensor) {
        TensorChecks.open(name, tensor);
        TensorChecks.owner(name, tensor, engine);
        if (tensor.dtype() != DType.FLOAT32) {
            throw new IllegalArgumentException(name + ": type " + tensor.dtype() + ", must be FLOAT32");
        }
        if (!tensor.isContiguous()) {
            throw new IllegalArgumentException(name + ": a view with gaps, must be row-major");
        }
    }

    /** Changes tensors that agree, on the host. */
    public static void update(TensorUpdates.Update update, Tensor target, Tensor source, Tensor first, Tensor second) {
        FloatBuffer targets = target.floats();
        FloatBuffer sources = source == null ? null : source.floats();
        FloatBuffer firsts = first == null ? null : first.floats();
        FloatBuffer seconds = second == null ? null : second.floats();
        forEachTask(targets.capacity(), (from, to) -> update(update, targets, sources, firsts, seconds, from, to));
    }

    private static void update(
            TensorUpdates.Update update,
            FloatBuffer target,
            FloatBuffer source,
            FloatBuffer first,
            FloatBuffer second,
            int from,
            int to) {
        for (int n = from; n < to; n++) {
            float before = target.get(n);
            switch (update.operation()) {
                case ADD -> target.put(n, before + source.get(n));
                case SCALE -> target.put(n, before * update.factor());
                case GATE -> {
                    double logit = first.get(n);
                    float open = (float) (1 / (1 + Math.exp(-logit)));
                    float closed = (float) (1 / (1 + Math.exp(logit)));
                    second.put(n, before * source.get(n) * open * closed);
                    target.put(n, before * open);
                }
                case SGD -> target.put(n, before - update.rate() * (source.get(n) + update.weightDecay() * before));
                case MOMENTUM, NESTEROV -> {
                    float gradient = source.get(n) + update.weightDecay() * before;
                    float moved = update.momentum() * first.get(n) + gradient;
                    first.put(n, moved);
                    boolean further = update.operation() == TensorUpdates.Operation.NESTEROV;
                    target.put(n, before - update.rate() * (further ? gradient + update.momentum() * moved : moved));
                }
                case ADAM -> {
                    float gradient = source.get(n) + update.weightDecay() * before;
                    float mean = update.keptMean() * first.get(n) + update.newMean() * gradient;
                    float square = update.keptSquare() * second.get(n) + update.newSquare() * (gradient * gradient);
                    first.put(n, mean);
                    second.put(n, square);
                    float root = (float) Math.sqrt(square) / update.correction() + update.epsilon();
                    target.put(n, update.factor() * before - update.rate() * (mean / root));
                }
            }
        }
    }

    /** Returns the sum of the squares of a tensor on the host. */
    public static double sumOfSquares(Tensor tensor) {
        FloatBuffer elements = tensor.floats();
        double sum = 0;
        for (int n = 0; n < elements.capacity(); n++) {
            double element = elements.get(n);
            sum += element * element;
        }
        return sum;
    }

    private interface Task {
        void run(int from, int to);
    }

    private static void forEachTask(int count, Task task) {
        IntStream.range(0, (count + TASK - 1) / TASK)
                .parallel()
                .forEach(n -> task.run(n * TASK, Math.min(count, (n + 1) * TASK)));
    }
}
