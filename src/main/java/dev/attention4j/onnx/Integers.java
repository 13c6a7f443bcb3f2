package dev.attention4j.onnx;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;

/** Reads the operators' inputs of integers. */
final class Integers {
    private Integers() {}

    /** Returns the numbers, row-major, of a tensor INT64 of a shape; each must be from 0 to the most. */
    static int[] of(String name, Tensor tensor, long most, long... shape) {
        return of(name, tensor, DType.INT64, most, shape);
    }

    /** The same of a tensor of another type. */
    static int[] of(String name, Tensor tensor, DType dtype, long most, long... shape) {
        TensorChecks.open(name, tensor);
        if (tensor.dtype() != dtype || !Arrays.equals(tensor.shape(), shape)) {
            throw new IllegalArgumentException(name + ": type " + tensor.dtype() + ", shape "
                    + Arrays.toString(tensor.shape()) + ", must be " + dtype + " " + Arrays.toString(shape));
        }
        double[] given = tensor.toDoubleArray();
        for (double number : given) {
            if (number < 0 || number > most) {
                throw new IllegalArgumentException(name + ": " + (long) number + ", must be from 0 to " + most);
            }
        }
        return Arrays.stream(given).mapToInt(number -> (int) number).toArray();
    }
}
