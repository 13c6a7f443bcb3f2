package dev.attention4j.spi;

import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;

/**
 * A rotary embedding in Java. Each product and sum is rounded to float, as in {@code opencl/cache/rotate_heads.cl}: the bits are
 * the same.
 */
final class Rotation {
    private Rotation() {}

    /** Returns the turned heads, which {@link TensorChecks#rotate} has checked, as float32 on the host. */
    static Tensor of(Tensor heads, RotaryEmbedding rotary, int... positions) {
        Tensor turned = Tensor.zeros(DType.FLOAT32, heads.shape());
        if (heads.elementCount() == 0) {
            return turned;
        }
        int batch = (int) heads.size(0);
        int rows = (int) heads.size(2);
        int pairs = rotary.rotaryDim() / 2;
        StridedRows from = new StridedRows(heads);
        StridedRows cosines = rows(rotary.cosines());
        StridedRows sines = rows(rotary.sines());
        FloatBuffer to = turned.floats();
        float[] row = new float[(int) heads.size(3)];
        float[] cosine = new float[pairs];
        float[] sine = new float[pairs];
        for (int b = 0; b < batch; b++) {
            for (int head = 0; head < heads.size(1); head++) {
                for (int r = 0; r < rows; r++) {
                    int position = positions.length == batch ? positions[b] + r : positions[b * rows + r];
                    cosines.read(0, 0, position, 0, pairs, cosine);
                    sines.read(0, 0, position, 0, pairs, sine);
                    from.read(b, head, r, 0, row.length, row);
                    turn(row, cosine, sine, rotary.isInterleaved());
                    to.put(row);
                }
            }
        }
        return turned;
    }

    private static StridedRows rows(Tensor table) {
        return new StridedRows(table.broadcast(1, 1, table.size(0), table.size(1)));
    }

    private static void turn(float[] row, float[] cosine, float[] sine, boolean interleaved) {
        for (int i = 0; i < cosine.length; i++) {
            int atX = interleaved ? 2 * i : i;
            int atY = interleaved ? 2 * i + 1 : cosine.length + i;
            float x = row[atX];
            float y = row[atY];
            row[atX] = x * cosine[i] - y * sine[i];
            row[atY] = y * cosine[i] + x * sine[i];
        }
    }
}
