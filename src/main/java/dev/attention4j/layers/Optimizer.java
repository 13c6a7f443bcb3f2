package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates.Update;
import dev.attention4j.spi.HostUpdates;
import dev.attention4j.spi.TensorChecks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Steps weights against their gradients, in place, where they are: on the engine's device, or on the host. Works on any
 * tensors, by name; a layer's are stepped by {@link AttentionLayer#step}. It keeps the running means of each weight, where the
 * weight is, from its first step until this is closed.
 *
 * <p>Formulas and defaults are those of {@code torch.optim.SGD}, {@code Adam} and {@code AdamW} as PyTorch's documentation has
 * them (https://pytorch.org/docs/stable/optim.html). With g the gradient, w the weight, γ the learning rate, λ the weight decay,
 * t the number of this weight's step:
 *
 * <pre>{@code
 * SGD     g += λ w;  b = μ b + g;  w -= γ b           Nesterov: w -= γ (g + μ b)
 * Adam    g += λ w;  m = β1 m + (1 - β1) g;  v = β2 v + (1 - β2) g²
 *         w -= γ m / (1 - β1^t) / (√(v / (1 - β2^t)) + ε)
 * AdamW   w -= γ λ w first, then as Adam without g += λ w
 * }</pre>
 *
 * <p>May be called from many threads; steps take turns.
 */
public final class Optimizer implements AutoCloseable {
    private static final String STEP = ".step";

    /** Added to the norm before it is divided by, as in PyTorch. */
    private static final double CLIP_EPSILON = 1e-6;

    private final AttentionEngine engine;
    private final OptimizerBuilder options;
    private final Map<String, State> states = new LinkedHashMap<>();
    private double learningRate;
    private boolean closed;

    /** The running means of a weight, by their names, and the number of its steps. */
    private static final class State {
        final Map<String, Tensor> tensors = new LinkedHashMap<>();
        long step;
    }

    Optimizer(OptimizerBuilder options, AttentionEngine engine) {
        this.options = options;
        this.engine = Objects.requireNonNull(engine, "engine");
        learningRate = options.learningRate;
    }

    /**
     * Returns a builder of stochastic gradient descent: no momentum, no weight decay unless set.
     *
     * @param learningRate 0 or more
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public static OptimizerBuilder sgd(double learningRate) {
        return new OptimizerBuilder(OptimizerBuilder.Rule.SGD, learningRate, 0);
    }

    /**
     * Returns a builder of Adam (Kingma and Ba, 2015): betas 0.9 and 0.999, epsilon 1e-8, no weight decay unless set.
     *
     * @param learningRate 0 or more
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public static OptimizerBuilder adam(double learningRate) {
        return new OptimizerBuilder(OptimizerBuilder.Rule.ADAM, learningRate, 0);
    }

    /**
     * Returns a builder of Adam with decoupled weight decay (Loshchilov and Hutter, 2019): as Adam, weight decay 0.01 unless set.
     *
     * @param learningRate 0 or more
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public static OptimizerBuilder adamW(double learningRate) {
        return new OptimizerBuilder(OptimizerBuilder.Rule.ADAM_W, learningRate, 0.01);
    }

    /** {@return the learning rate of the next step} */
    public synchronized double learningRate() {
        return learningRate;
    }

    /**
     * Sets the learning rate of the next steps, as schedules do.
     *
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public synchronized void setLearningRate(double rate) {
        learningRate = OptimizerBuilder.notNegative("learningRate", rate);
    }

    /**
     * Steps weights in place. Nothing is changed if an argument is refused; if the device fails, some weights are stepped and
     * some are not.
     *
     * @param weights FLOAT32, row-major, by name; on the host or the engine. A name means the same weight at every step
     * @param gradients of every weight and of no other, of its shape; on the host or the engine
     * @throws IllegalArgumentException if a name is missing or unknown, or a tensor does not fit; says which, what it was and
     *     what it must be
     * @throws IllegalStateException if this, its engine or a tensor is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public synchronized void step(Map<String, Tensor> weights, Map<String, Tensor> gradients) {
        check(engine, weights, gradients);
        weights.forEach((name, weight) -> step(name, weight, gradients.get(name)));
    }

    private void step(String name, Tensor weight, Tensor gradient) {
        State state = states.computeIfAbsent(name, first -> new State());
        List<Tensor> kept = new ArrayList<>();
        for (String what : options.kept()) {
            Tensor there = state.tensors.get(what);
            if (there == null) {
                there = weight.isOnHost()
                        ? Tensor.zeros(DType.FLOAT32, weight.shape())
                        : engine.zeros(DType.FLOAT32, weight.shape());
            } else if (there.isOnHost() && !weight.isOnHost()) {
                // Loaded.
                there = engine.upload(there);
            }
            state.tensors.put(what, there);
            kept.add(there);
        }
        engine.updates()
                .update(
                        update(state.step + 1),
                        weight,
                        gradient,
                        kept.isEmpty() ? null : kept.get(0),
                        kept.size() < 2 ? null : kept.get(1));
        state.step++;
    }

    private Update update(long step) {
        if (options.rule == OptimizerBuilder.Rule.SGD) {
            return Update.sgd(learningRate, options.weightDecay, options.momentum, options.nesterov);
        }
        boolean decoupled = options.rule == OptimizerBuilder.Rule.ADAM_W;
        return Update.adam(
                learningRate,
                decoupled ? 1 - learningRate * options.weightDecay : 1,
                decoupled ? 0 : options.weightDecay,
                options.beta1,
                options.beta2,
                options.epsilon,
                step);
    }

    /**
     * Refuses weights and gradients that {@link #step} would not take.
     *
     * @param on the engine that they must be on, if not on the host
     */
    synchronized void check(AttentionEngine on, Map<String, Tensor> weights, Map<String, Tensor> gradients) {
        if (closed) {
            throw new IllegalStateException("the optimizer is closed");
        }
        if (engine.isClosed()) {
            throw new IllegalStateException("the optimizer's engine is closed: " + engine);
        }
        if (on != engine) {
            throw new IllegalArgumentException("optimizer: on " + engine + ", must be on the layer's engine " + on);
        }
        Set<String> unknown = new LinkedHashSet<>(gradients.keySet());
        unknown.removeAll(weights.keySet());
        Set<String> missing = new LinkedHashSet<>(weights.keySet());
        missing.removeAll(gradients.keySet());
        if (!unknown.isEmpty() || !missing.isEmpty()) {
            throw new IllegalArgumentException("gradients: " + (missing.isEmpty() ? "" : "none of " + missing + " ")
                    + (unknown.isEmpty() ? "" : "of " + unknown + ", which are no weights, ")
                    + "must be one of each weight " + weights.keySet());
        }
        weights.forEach((name, weight) -> {
            HostUpdates.check(engine, name, Objects.requireNonNull(weight, name));
            Tensor gradient = gradients.get(name);
            TensorChecks.gradient("gradient of " + name, gradient, weight, engine);
            HostUpdates.check(engine, "gradient of " + name, gradient);
            State state = states.get(name);
            if (state != null) {
                state.tensors.forEach((what, tensor) -> checkState(name, what, tensor, weight));
            }
        });
    }

    private static void checkState(String name, String what, Tensor tensor, Tensor weight) {
        if (!Arrays.equals(tensor.shape(), weight.shape())) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(weight.shape()) + ", must be "
                    + Arrays.toString(tensor.shape()) + " as its " + what.substring(1));
        }
        if (!tensor.isOnHost() && weight.isOnHost()) {
            throw new IllegalArgumentException(name + ": on the host, must be on the engine as at its first step");
        }
        TensorChecks.open(name + what, tensor);
    }

    /**
     * Scales gradients, in place, so that the norm over all of them together is at most a limit, as {@code
     * torch.nn.utils.clip_grad_norm_} does: by maxNorm / (norm + 1e-6) if that is below 1. A norm that is not finite scales
     * nothing.
     *
     * @param maxNorm above 0
     * @param gradients FLOAT32, row-major; on the host or the engine
     * @return the norm before
     * @throws IllegalArgumentException if the limit is not above 0, or a gradient is of another type or engine
     * @throws IllegalStateException if this, its engine or a gradient is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public synchronized double clip(double maxNorm, Collection<Tensor> gradients) {
        if (!(maxNorm > 0)) {
            throw new IllegalArgumentException("maxNorm: " + maxNorm + ", must be above 0");
        }
        check(engine, Map.of(), Map.of());
        gradients.forEach(gradient -> HostUpdates.check(engine, "gradients", gradient));
        double squares = 0;
        for (Tensor gradient : gradients) {
            squares += engine.updates().sumOfSquares(gradient);
        }
        double norm = Math.sqrt(squares);
        double factor = maxNorm / (norm + CLIP_EPSILON);
        if (factor < 1 && norm < Double.POSITIVE_INFINITY) {
            gradients.forEach(gradient -> engine.updates().update(Update.scale(factor), gradient, null, null, null));
        }
        return norm;
    }

    // ---- state

    /**
     * Returns copies of what the next steps depend on beside the weights: for each weight what PyTorch calls {@code
     * momentum_buffer}, or {@code exp_avg}, {@code exp_avg_sq} and {@code step}, after its name and a dot. {@link
     * dev.attention4j.io.Safetensors#write} writes them to a file. Options and the learning rate are not among them.
     *
     * @return tensors on the host
     * @throws IllegalStateException if this or its engine is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public synchronized Map<String, Tensor> state() {
        check(engine, Map.of(), Map.of());
        Map<String, Tensor> all = new LinkedHashMap<>();
        states.forEach((name, state) -> {
            state.tensors.forEach((what, tensor) -> all.put(name + what, engine.download(tensor)));
            if (options.rule != OptimizerBuilder.Rule.SGD) {
                Tensor step = Tensor.zeros(DType.INT64, 1);
                step.bytes().putLong(0, state.step);
                all.put(name + STEP, step);
            }
        });
        return all;
    }

    /**
     * Sets the state, instead of any that is there: the next steps change weights as they would have changed those of the
     * optimizer that {@link #state()} was called on, to the same bits.
     *
     * @param state on the host, as {@link #state()} returns it
     * @throws IllegalArgumentException if it is not that of such an optimizer; names what is missing or unknown
     * @throws IllegalStateException if this or a tensor is closed
     */
    public synchronized void load(Map<String, Tensor> state) {
        check(engine, Map.of(), Map.of());
        List<String> kept = new ArrayList<>(options.kept());
        if (options.rule != OptimizerBuilder.Rule.SGD) {
            kept.add(STEP);
        }
        Map<String, State> loaded = new LinkedHashMap<>();
        state.forEach((key, tensor) -> {
            String what = key.substring(Math.max(0, key.lastIndexOf('.')));
            if (!kept.contains(what)) {
                throw new IllegalArgumentException("state: has " + key + ", must have a name that ends in one of "
                        + kept + " as this optimizer's");
            }
            DType type = what.equals(STEP) ? DType.INT64 : DType.FLOAT32;
            TensorChecks.open(key, tensor);
            if (!tensor.isOnHost() || tensor.dtype() != type || (what.equals(STEP) && tensor.elementCount() != 1)) {
                throw new IllegalArgumentException("state: " + key + " is " + tensor + ", must be " + type
                        + (what.equals(STEP) ? " with one element" : "") + " on the host");
            }
            State one = loaded.computeIfAbsent(key.substring(0, key.length() - what.length()), first -> new State());
            if (what.equals(STEP)) {
                one.step = tensor.contiguous().bytes().getLong(0);
            } else {
                Tensor copy = Tensor.zeros(DType.FLOAT32, tensor.shape());
                copy.bytes().put(tensor.contiguous().bytes());
                one.tensors.put(what, copy);
            }
        });
        loaded.forEach((name, one) -> {
            for (String what : kept) {
                if (!state.containsKey(name + what)) {
                    throw new IllegalArgumentException("state: has no " + name + what + ", must have " + kept
                            + " of each weight of which it has one");
                }
            }
        });
        forget();
        states.putAll(loaded);
    }

    private void forget() {
        states.values().forEach(state -> state.tensors.values().forEach(Tensor::close));
        states.clear();
    }

    /** Frees the running means; weights and engine stay as they are. Closing again does nothing. */
    @Override
    public synchronized void close() {
        closed = true;
        forget();
    }

    @Override
    public String toString() {
        return "Optimizer[" + options.rule + ", learningRate=" + learningRate + ", weightDecay=" + options.weightDecay
                + (options.momentum > 0 ? ", momentum=" + options.momentum : "")
                + (options.nesterov ? ", nesterov" : "")
                + (options.rule == OptimizerBuilder.Rule.SGD
                        ? ""
                        : ", betas=" + options.beta1 + "," + options.beta2 + ", epsilon=" + options.epsilon)
                + "] of " + states.size() + " weights on " + engine + (closed ? ", closed" : "");
    }
}
