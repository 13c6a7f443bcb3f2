package dev.attention4j.cpu;

import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Projections in plain Java float on all cores, for engines without their own. Inputs and results are on the host. The
 * number of threads changes no bit of a result.
 */
public final class CpuProjector implements Projector {
    /** Rows of a task: enough that most of them read a panel of the weights from the cache. */
    private static final int ROWS_PER_TASK = 32;

    private static final CpuProjector ONLY = new CpuProjector();

    private CpuProjector() {}

    /** {@return the only projector, which holds nothing} */
    public static CpuProjector get() {
        return ONLY;
    }

    @Override
    public Projection prepare(Tensor kernel, Tensor bias) {
        return new Weights(kernel, bias);
    }

    @Override
    public List<Tensor> toHeads(Tensor input, List<Projection> projections) {
        int batch = Math.toIntExact(input.size(0));
        int length = Math.toIntExact(input.size(1));
        int inputs = Math.toIntExact(input.size(2));
        FloatBuffer source = floats(input);
        List<Weights> kernels = new ArrayList<>();
        List<Tensor> results = new ArrayList<>();
        List<FloatBuffer> targets = new ArrayList<>();
        for (Projection projection : projections) {
            Weights kernel = checked(projection, inputs, input);
            Tensor result = Tensor.zeros(DType.FLOAT32, batch, kernel.heads, length, kernel.width);
            kernels.add(kernel);
            results.add(result);
            targets.add(result.floats());
        }
        forEachBlock(batch * length, (first, count) -> {
            float[][] rows = new float[Axpy.padded(count, Axpy.SUMS)][inputs];
            for (int row = 0; row < count; row++) {
                source.get((first + row) * inputs, rows[row]);
            }
            for (int n = 0; n < kernels.size(); n++) {
                Weights kernel = kernels.get(n);
                FloatBuffer target = targets.get(n);
                float[][] sums = kernel.multiply(rows);
                for (int row = 0; row < count; row++) {
                    int from = (first + row) / length;
                    int position = (first + row) % length;
                    for (int head = 0; head < kernel.heads; head++) {
                        int at = ((from * kernel.heads + head) * length + position) * kernel.width;
                        target.put(at, sums[row], head * kernel.width, kernel.width);
                    }
                }
            }
        });
        return results.stream().map(result -> result.to(input.dtype())).toList();
    }

    @Override
    public Tensor fromHeads(Tensor heads, Tensor gate, Projection projection) {
        int batch = Math.toIntExact(heads.size(0));
        int headCount = Math.toIntExact(heads.size(1));
        int length = Math.toIntExact(heads.size(2));
        int width = Math.toIntExact(heads.size(3));
        int inputs = headCount * width;
        Weights kernel = checked(projection, inputs, heads);
        FloatBuffer source = floats(heads);
        FloatBuffer gates = gate == null ? null : floats(gate);
        Tensor result = Tensor.zeros(DType.FLOAT32, batch, length, kernel.outputs());
        FloatBuffer target = result.floats();
        forEachBlock(batch * length, (first, count) -> {
            float[][] rows = new float[Axpy.padded(count, Axpy.SUMS)][inputs];
            for (int row = 0; row < count; row++) {
                int from = (first + row) / length;
                int position = (first + row) % length;
                for (int head = 0; head < headCount; head++) {
                    int at = ((from * headCount + head) * length + position) * width;
                    source.get(at, rows[row], head * width, width);
                    if (gates != null) {
                        multiplyByLogistic(rows[row], head * width, width, gates, at);
                    }
                }
            }
            float[][] sums = kernel.multiply(rows);
            for (int row = 0; row < count; row++) {
                target.put((first + row) * kernel.outputs(), sums[row]);
            }
        });
        return result.to(heads.dtype());
    }

    /** Products of matrices as above: rows of the transposed input, under a row of ones, times the gradients of the results. */
    @Override
    public List<Tensor> weightGradients(Tensor input, Tensor gate, List<Tensor> resultGradients) {
        TensorChecks.weightGradients(input, gate, resultGradients);
        int headCount = Math.toIntExact(input.size(1));
        int length = Math.toIntExact(input.size(2));
        int width = Math.toIntExact(input.size(3));
        int positions = Math.toIntExact(input.size(0) * length);
        int inputs = headCount * width;
        FloatBuffer source = floats(input);
        FloatBuffer gates = gate == null ? null : floats(gate);
        List<Weights> byResults = new ArrayList<>();
        List<FloatBuffer> targets = new ArrayList<>();
        List<Tensor> results = new ArrayList<>();
        for (Tensor byResult : resultGradients) {
            Weights rows = new Weights(
                    byResult.permute(0, 2, 1, 3).contiguous().reshape(positions, byResult.size(1), byResult.size(3)),
                    null);
            Tensor result = Tensor.zeros(DType.FLOAT32, 1 + inputs, rows.outputs());
            byResults.add(rows);
            results.add(result);
            targets.add(result.floats());
        }
        forEachBlock(1 + inputs, (first, count) -> {
            float[][] columns = new float[Axpy.padded(count, Axpy.SUMS)][positions];
            for (int row = 0; row < count; row++) {
                if (first + row == 0) {
                    Arrays.fill(columns[row], 1);
                    continue;
                }
                int head = (first + row - 1) / width;
                int from = (first + row - 1) % width;
                for (int position = 0; position < positions; position++) {
                    int at = ((position / length * headCount + head) * length + position % length) * width + from;
                    columns[row][position] = source.get(at);
                    if (gates != null) {
                        columns[row][position] *= logistic(gates.get(at));
                    }
                }
            }
            for (int n = 0; n < byResults.size(); n++) {
                float[][] sums = byResults.get(n).multiply(columns);
                for (int row = 0; row < count; row++) {
                    targets.get(n).put((first + row) * byResults.get(n).outputs(), sums[row]);
                }
            }
        });
        return results;
    }

    private static float logistic(float logit) {
        return (float) (1 / (1 + Math.exp(-logit)));
    }

    private static void multiplyByLogistic(float[] row, int from, int count, FloatBuffer gates, int at) {
        for (int n = 0; n < count; n++) {
            row[from + n] *= logistic(gates.get(at + n));
        }
    }

    private static FloatBuffer floats(Tensor tensor) {
        return tensor.contiguous().to(DType.FLOAT32).floats();
    }

    private static Weights checked(Projection projection, int inputs, Tensor tensor) {
        Weights kernel = (Weights) projection;
        if (kernel.inputs != inputs) {
            throw new IllegalArgumentException("projection: has " + kernel.inputs + " inputs, must have " + inputs
                    + " for the shape " + Arrays.toString(tensor.shape()));
        }
        return kernel;
    }

    private interface Block {
        void run(int first, int count);
    }

    private static void forEachBlock(int rows, Block block) {
        int blocks = (rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
        IntStream.range(0, blocks).parallel().forEach(n -> {
            int first = n * ROWS_PER_TASK;
            block.run(first, Math.min(ROWS_PER_TASK, rows - first));
        });
    }

    /** A projection's weights, an array for each input. */
    private static final class Weights implements Projection {
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

        /** Copies a kernel [inputs, heads, width] and a bias [heads, width], which may be null. */
        Weights(Tensor kernel, Tensor bias) {
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

        /** Returns each row · kernel + bias: [rows][outputs] of [rows][inputs], where rows are a multiple of {@link Axpy#SUMS}. */
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
                float[][] sums,
                float[][] factors,
                int row,
                float[][] kernel,
                int firstInput,
                int end,
                int from,
                int to) {
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
}
