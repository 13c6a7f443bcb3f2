package dev.attention4j.onnx;

import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;

/** Heads in and out of the hidden axis of tensors with 3 axes. */
final class Heads {
    private Heads() {}

    /**
     * A view [batch, heads, length, width] of a tensor.
     *
     * @param heads 0 if the attribute is not given
     */
    static Tensor split(String name, Tensor tensor, String attribute, int heads) {
        TensorChecks.open(name, tensor);
        if (tensor.rank() == 4) {
            if (heads != 0 && heads != tensor.size(1)) {
                throw new IllegalArgumentException(attribute + ": " + heads + ", must be the " + tensor.size(1)
                        + " heads of " + name + " " + Arrays.toString(tensor.shape()) + ", or left out");
            }
            return tensor;
        }
        if (tensor.rank() != 3) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                    + ", must be [batch, heads, length, headDim] or [batch, length, heads * headDim]");
        }
        if (heads == 0) {
            throw new IllegalArgumentException(attribute + ": not given, must be where " + name + " has 3 axes: "
                    + Arrays.toString(tensor.shape()));
        }
        long hidden = tensor.size(2);
        if (hidden % heads != 0) {
            throw new IllegalArgumentException(
                    name + ": last axis " + hidden + ", must be a multiple of " + attribute + " " + heads);
        }
        Tensor whole = tensor.isContiguous() ? tensor : tensor.contiguous();
        return whole.reshape(tensor.size(0), tensor.size(1), heads, hidden / heads)
                .permute(0, 2, 1, 3);
    }

    /** [batch, heads, length, width] as [batch, length, heads · width], on the host; closed if that takes a copy. */
    static Tensor join(Tensor tensor) {
        Tensor joined = tensor.permute(0, 2, 1, 3)
                .contiguous()
                .reshape(tensor.size(0), tensor.size(2), tensor.size(1) * tensor.size(3));
        if (joined.memory() != tensor.memory()) {
            tensor.close();
        }
        return joined;
    }
}
