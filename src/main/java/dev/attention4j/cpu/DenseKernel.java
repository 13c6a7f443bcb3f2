package dev.attention4j.cpu;

import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;

/** A projection's kernel as one array for each input, and rows multiplied by it. */
final class DenseKernel implements Projector.Projection {
    /** Outputs are done this many at a time, so that four rows of sums stay in the first cache. */
    private static final int PANEL = 512;

    /** Inputs whose products are summed before they are added to those before, so that sums do not drift. */
    private static final int SUMMED_INPUTS = 128;

    final int inputs;
    final int heads;
    final int width;
    /** [inputs][heads · width], with a row of zeros at the end where the number of inputs is odd. */
    private volatile float[][] rows;

    /** [heads · width]; zeros where there is no bias. */
    private final float[] bias;

    /**
     * Copies the weights.
     *
     * @param kernel [inputs, heads, width]
     * @param bias [heads, width], or null
     */
    DenseKernel(Tensor kernel, Tensor bias) {
        inputs = Math.toIntExact(kernel.size(0));
        heads = Math.toIntExact(kernel.size(1));
        width = Math.toIntExact(kernel.size(2));
        FloatBuffer source = kernel.contiguous().floats();
        rows = new float[Axpy.padded(inputs, Axpy.SOURCES)][outputs()];
        for (int input = 0; input < inputs; input++) {
            source.get(input * outputs(), rows[input]);
        }
        this.bias = bias == null ? new float[outputs()] : bias.toFloatArray();
    }

    int outputs() {
        return heads * width;
    }

    /** How many rows {@link #multiply} takes for this many. */
    static int padded(int count) {
        return Axpy.padded(count, Axpy.SUMS);
    }

    /**
     * Each row · kernel + bias.
     *
     * @param factors [padded rows][inputs]
     * @return [padded rows][outputs]
     */
    float[][] multiply(float[][] factors) {
        float[][] kernel = rows;
        if (kernel == null) {
            throw new IllegalStateException("projection: is closed, must be open");
        }
        float[][] sums = new float[factors.length][];
        for (int row = 0; row < factors.length; row++) {
            sums[row] = bias.clone();
        }
        float[][] partial = new float[Axpy.SUMS][outputs()];
        for (int from = 0; from < outputs(); from += PANEL) {
            int to = Math.min(from + PANEL, outputs());
            for (int row = 0; row < factors.length; row += Axpy.SUMS) {
                for (int input = 0; input < kernel.length; input += SUMMED_INPUTS) {
                    int end = Math.min(input + SUMMED_INPUTS, kernel.length);
                    addPanel(partial, factors, row, kernel, input, end, from, to);
                    for (int n = 0; n < Axpy.SUMS; n++) {
                        Axpy.move(partial[n], sums[row + n], from, to);
                    }
                }
            }
        }
        return sums;
    }

    private void addPanel(
            float[][] sums, float[][] factors, int row, float[][] kernel, int firstInput, int end, int from, int to) {
        float[] f0 = factors[row];
        float[] f1 = factors[row + 1];
        float[] f2 = factors[row + 2];
        float[] f3 = factors[row + 3];
        for (int input = firstInput; input < end; input += Axpy.SOURCES) {
            boolean pair = input + 1 < inputs;
            Axpy.fourByTwo(
                    sums[0],
                    sums[1],
                    sums[2],
                    sums[3],
                    kernel[input],
                    kernel[input + 1],
                    from,
                    to,
                    f0[input],
                    pair ? f0[input + 1] : 0,
                    f1[input],
                    pair ? f1[input + 1] : 0,
                    f2[input],
                    pair ? f2[input + 1] : 0,
                    f3[input],
                    pair ? f3[input + 1] : 0);
        }
    }

    @Override
    public void close() {
        rows = null;
    }
}
