package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
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
        TensorChecks.open(name, tensor);
        TensorChecks.storage(name, tensor);
        TensorChecks.sameType(name, tensor, "query", query);
        TensorChecks.sameRank(name, tensor, "query", query);
        if (tensor.size(-1) == 0) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(tensor.shape()) + ", must have at least one feature");
        }
    }

    /** Checks that every input is on the host or the layer's engine. */
    static void owner(AttentionInputs inputs, AttentionEngine engine) {
        TensorChecks.owner("query", inputs.query(), engine);
        TensorChecks.owner("value", inputs.value(), engine);
        TensorChecks.owner("key", inputs.key(), engine);
        inputs.queryMask().ifPresent(mask -> TensorChecks.owner("queryMask", mask, engine));
        inputs.valueMask().ifPresent(mask -> TensorChecks.owner("valueMask", mask, engine));
        inputs.keyMask().ifPresent(mask -> TensorChecks.owner("keyMask", mask, engine));
        inputs.attentionMask().ifPresent(mask -> TensorChecks.owner("attentionMask", mask, engine));
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
