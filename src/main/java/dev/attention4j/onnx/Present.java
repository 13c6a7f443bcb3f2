package dev.attention4j.onnx;

import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The cached keys and values, followed by the new ones: what the operator calls present.
 *
 * @param key [batch, keyValueHeads, pastLength + keyLength, headDim]
 * @param value [batch, keyValueHeads, pastLength + keyLength, valueDim]
 * @param pastLength the number of cached keys
 */
record Present(Tensor key, Tensor value, int pastLength) {
    private static final int LENGTH_AXIS = 2;

    /** Appends the new keys and values to the past; without a past, these are the tensors given. */
    static Present of(OnnxAttentionInputs inputs, Tensor key, Tensor value) {
        if (inputs.pastKey().isPresent() != inputs.pastValue().isPresent()) {
            throw new IllegalArgumentException(
                    inputs.pastKey().isPresent()
                            ? "pastValue: not given, must be given with pastKey"
                            : "pastKey: not given, must be given with pastValue");
        }
        if (inputs.pastKey().isEmpty()) {
            return new Present(key, value, 0);
        }
        if (inputs.nonpadKvSeqlen().isPresent()) {
            throw new IllegalArgumentException("nonpadKvSeqlen: given with pastKey, must be given without: it is for a"
                    + " cache that lies in key and value themselves");
        }
        Tensor pastKey = inputs.pastKey().get();
        Tensor pastValue = inputs.pastValue().get();
        check("pastKey", pastKey, "key", key);
        check("pastValue", pastValue, "value", value);
        if (pastValue.size(LENGTH_AXIS) != pastKey.size(LENGTH_AXIS)) {
            throw new IllegalArgumentException("pastValue: length " + pastValue.size(LENGTH_AXIS) + ", must be "
                    + pastKey.size(LENGTH_AXIS) + " as pastKey has");
        }
        return new Present(append(pastKey, key), append(pastValue, value), Math.toIntExact(pastKey.size(LENGTH_AXIS)));
    }

    private static void check(String name, Tensor past, String like, Tensor tensor) {
        TensorChecks.open(name, past);
        TensorChecks.sameType(name, past, like, tensor);
        long[] mustBe = tensor.shape();
        if (past.rank() == mustBe.length) {
            mustBe[LENGTH_AXIS] = past.size(LENGTH_AXIS);
        }
        if (!Arrays.equals(past.shape(), mustBe)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(past.shape()) + ", must be "
                    + Arrays.toString(tensor.shape()) + " as " + like
                    + " is, [batch, heads, length, headDim], but for the length"
                    + TensorChecks.differs(past, mustBe));
        }
    }

    private static Tensor append(Tensor past, Tensor added) {
        long[] shape = past.shape();
        shape[LENGTH_AXIS] += added.size(LENGTH_AXIS);
        Tensor whole = Tensor.zeros(past.dtype(), shape);
        ByteBuffer target = whole.bytes();
        ByteBuffer first = past.contiguous().bytes();
        ByteBuffer second = added.contiguous().bytes();
        int slices = Math.toIntExact(shape[0] * shape[1]);
        for (int slice = 0; slice < slices; slice++) {
            put(target, first, slice, slices);
            put(target, second, slice, slices);
        }
        return whole;
    }

    private static void put(ByteBuffer target, ByteBuffer source, int slice, int slices) {
        int bytes = source.capacity() / slices;
        target.put(source.slice(slice * bytes, bytes));
    }
}
