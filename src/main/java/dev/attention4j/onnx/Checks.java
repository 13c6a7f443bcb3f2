package dev.attention4j.onnx;

import dev.attention4j.Tensor;
import java.util.Arrays;

/** Refuses inputs that do not fit the operator, before anything runs; an error begins with the name of the input. */
final class Checks {
    private Checks() {}

    static void open(String name, Tensor tensor) {
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
    }

    static void sameRank(String name, Tensor tensor, Tensor query) {
        if (tensor.rank() != query.rank()) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must have "
                    + query.rank() + " axes as query has");
        }
    }

    static void floats(String name, Tensor tensor) {
        if (!tensor.dtype().isAttentionStorage()) {
            throw new IllegalArgumentException(
                    name + ": type " + tensor.dtype() + ", must be FLOAT32, FLOAT16 or BFLOAT16 (Tensor.to converts)");
        }
    }

    static void sameType(String name, Tensor tensor, String like, Tensor other) {
        if (tensor.dtype() != other.dtype()) {
            throw new IllegalArgumentException(
                    name + ": type " + tensor.dtype() + ", must be " + other.dtype() + " as " + like + " has");
        }
    }
}
