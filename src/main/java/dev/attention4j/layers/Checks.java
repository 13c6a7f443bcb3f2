package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import java.util.Arrays;

/** Refuses inputs that do not fit together, before anything runs. */
final class Checks {
    private Checks() {}

    /**
     * Checks query, value and key against each other.
     *
     * @throws IllegalArgumentException naming the input that does not fit, what it was and what it must be
     * @throws IllegalStateException if one is closed
     */
    static void inputs(AttentionInputs inputs, AttendedAxes axes) {
        Tensor query = inputs.query();
        Tensor value = inputs.value();
        Tensor key = inputs.key();
        input("query", query, query);
        input("value", value, query);
        input("key", key, query);
        sameAxes(
                "value",
                axes.free(value),
                "query",
                axes.free(query),
                "not attended over (batch first)",
                value,
                axes.freeAxes());
        sameAxes(
                "key",
                axes.free(key),
                "value",
                axes.free(value),
                "not attended over (batch first)",
                key,
                axes.freeAxes());
        sameAxes(
                "key",
                axes.attended(key),
                "value",
                axes.attended(value),
                "attended over (positions)",
                key,
                axes.attendedAxes());
    }

    /** Checks one input on its own, and its type and number of axes against the query's. */
    private static void input(String name, Tensor tensor, Tensor query) {
        open(name, tensor);
        if (!tensor.dtype().isAttentionStorage()) {
            throw new IllegalArgumentException(
                    name + ": type " + tensor.dtype() + ", must be FLOAT32, FLOAT16 or BFLOAT16 (Tensor.to converts)");
        }
        if (tensor.dtype() != query.dtype()) {
            throw new IllegalArgumentException(
                    name + ": type " + tensor.dtype() + ", must be " + query.dtype() + " as query has");
        }
        if (tensor.rank() != query.rank()) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must have the "
                    + query.rank() + " axes of query's " + Arrays.toString(query.shape()));
        }
        if (tensor.size(-1) == 0) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(tensor.shape()) + ", must have at least one feature");
        }
    }

    /** Checks that every input is on the host or the layer's engine. */
    static void owner(AttentionInputs inputs, AttentionEngine engine) {
        owner("query", inputs.query(), engine);
        owner("value", inputs.value(), engine);
        owner("key", inputs.key(), engine);
        inputs.queryMask().ifPresent(mask -> owner("queryMask", mask, engine));
        inputs.valueMask().ifPresent(mask -> owner("valueMask", mask, engine));
        inputs.keyMask().ifPresent(mask -> owner("keyMask", mask, engine));
        inputs.attentionMask().ifPresent(mask -> owner("attentionMask", mask, engine));
    }

    private static void owner(String name, Tensor tensor, AttentionEngine engine) {
        if (!tensor.isOnHost() && tensor.memory().engine() != engine) {
            throw new IllegalArgumentException(name + ": Tensor" + Arrays.toString(tensor.shape()) + " on "
                    + tensor.memory().engine().info().name()
                    + ", must be on the host or on the layer's engine "
                    + engine.info().id());
        }
    }

    /** What is attended over in inputs with as many axes as the query. */
    static AttendedAxes axes(Tensor query, LayerOptions options) {
        if (query.rank() < 3) {
            throw new IllegalArgumentException("query: shape " + Arrays.toString(query.shape())
                    + ", must have at least 3 axes [batch, length, features]");
        }
        return new AttendedAxes(query.rank(), options.attentionAxes());
    }

    /** Causal and window count positions along one axis. */
    static void band(AttentionInputs inputs, AttendedAxes axes, LayerOptions options) {
        if (axes.count() == 1) {
            return;
        }
        if (inputs.isCausal()) {
            throw new IllegalArgumentException(
                    "causal: true over " + axes.count() + " attention axes, must be over one, along which it masks");
        }
        if (options.slidingWindow() > 0) {
            throw new IllegalArgumentException("slidingWindow: " + options.slidingWindow() + " over " + axes.count()
                    + " attention axes, must be over one, along which it slides");
        }
    }

    /** Checks an input's features against the weights that are there. */
    static void features(String name, Tensor input, long wanted) {
        if (input.size(-1) != wanted) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(input.shape()) + ", must have " + wanted + " features (axis "
                            + (input.rank() - 1) + ", its last) as the weight " + name + LayerOptions.KERNEL + " has");
        }
    }

    static void open(String name, Tensor tensor) {
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
    }

    private static void sameAxes(
            String name, long[] was, String of, long[] mustBe, String which, Tensor tensor, int... axes) {
        if (!Arrays.equals(was, mustBe)) {
            int at = Arrays.mismatch(was, mustBe);
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + " has the axes "
                    + Arrays.toString(was) + " " + which + ", must have " + Arrays.toString(mustBe) + " as " + of
                    + " has: axis " + axes[at] + " is " + was[at] + ", must be " + mustBe[at]);
        }
    }
}
