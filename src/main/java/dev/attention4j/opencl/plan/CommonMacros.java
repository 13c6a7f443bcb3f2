package dev.attention4j.opencl.plan;

import dev.attention4j.DType;
import dev.attention4j.opencl.runtime.ClDevice;

/** Values of the macros in {@code opencl/common/} that kernels of several plans are built with. */
public final class CommonMacros {
    private CommonMacros() {}

    /**
     * STORAGE of {@code storage.clh}.
     *
     * @param dtype how query, key, value and output are stored
     * @return the macro's value
     * @throws IllegalArgumentException if kernels do not read the type
     */
    public static int storage(DType dtype) {
        return switch (dtype) {
            case FLOAT32 -> 0;
            case FLOAT16 -> 1;
            case BFLOAT16 -> 2;
            default -> throw new IllegalArgumentException("dtype: " + dtype + ", must be FLOAT32, FLOAT16 or BFLOAT16");
        };
    }

    /**
     * VECTOR_WIDTH of {@code vector.clh}: the registers of a CPU, and 16-byte loads on a GPU.
     *
     * @param device any
     * @return 4, 8 or 16 floats
     */
    public static int vectorWidth(ClDevice device) {
        if (device.type() == ClDevice.Type.GPU) {
            return 4;
        }
        return device.nativeVectorWidth() >= 16 ? 16 : device.nativeVectorWidth() >= 8 ? 8 : 4;
    }
}
