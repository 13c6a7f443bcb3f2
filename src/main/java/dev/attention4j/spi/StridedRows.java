package dev.attention4j.spi;

import dev.attention4j.DType;
import dev.attention4j.Float16;
import dev.attention4j.Quantization;
import dev.attention4j.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Reads runs along the last axis of a tensor as floats: any type and any strides of [batch, heads, rows,
 * columns].
 */
public final class StridedRows {
    private final DType dtype;
    private final ByteBuffer bytes;
    private final FloatBuffer floats;
    private final ByteBuffer scales;
    private final long offset;
    private final long[] strides;

    /** Takes a tensor of four axes; one on a device is copied as a whole. */
    public StridedRows(Tensor tensor) {
        dtype = tensor.dtype();
        bytes = tensor.memory().toHost();
        floats = bytes.asFloatBuffer();
        int scalesAt = Math.toIntExact(tensor.scalesOffset());
        scales = bytes.slice(scalesAt, bytes.capacity() - scalesAt).order(ByteOrder.nativeOrder());
        offset = tensor.offset();
        strides = tensor.strides();
    }

    /** Reads {@code count} elements from [batch, head, row, column] on into the start of {@code target}. */
    public void read(int batch, int head, int row, int column, int count, float[] target) {
        if (count == 0) {
            // A tensor without elements has no memory to read.
            return;
        }
        int stride = (int) strides[3];
        int at = (int) (offset + batch * strides[0] + head * strides[1] + row * strides[2] + column * strides[3]);
        if (dtype == DType.FLOAT32 && stride == 1 && count > 0) {
            floats.get(at, target, 0, count);
            return;
        }
        switch (dtype) {
            case FLOAT32 -> {
                for (int n = 0; n < count; n++) {
                    target[n] = floats.get(at + n * stride);
                }
            }
            case FLOAT16 -> {
                for (int n = 0; n < count; n++) {
                    target[n] = Float16.toFloat(bytes.getShort(2 * (at + n * stride)));
                }
            }
            case BFLOAT16 -> {
                for (int n = 0; n < count; n++) {
                    target[n] = Float16.bfloatToFloat(bytes.getShort(2 * (at + n * stride)));
                }
            }
            case Q8_0, Q4_0 -> Quantization.read(dtype, bytes, scales, at, count, target);
            default -> {
                for (int n = 0; n < count; n++) {
                    target[n] = (float) dtype.read(bytes, dtype.bytes() * (at + n * stride));
                }
            }
        }
    }
}
