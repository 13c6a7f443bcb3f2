package dev.attention4j.cpu;

import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Projections in plain Java float on all cores, for every engine that has none of its own. Inputs and results are on
 * the host. Any number of threads changes no bit of a result.
 */
public final class CpuProjector implements Projector {
    /** Enough rows for a task that each panel of a kernel is read from the cache for most of them. */
    private static final int ROWS_PER_TASK = 32;

    private static final CpuProjector ONLY = new CpuProjector();

    private CpuProjector() {}

    /** {@return the only projector, which holds nothing} */
    public static CpuProjector get() {
        return ONLY;
    }

    @Override
    public Projection prepare(Tensor kernel, Tensor bias) {
        return new DenseKernel(kernel, bias);
    }

    @Override
    public List<Tensor> toHeads(Tensor input, List<Projection> projections) {
        int batch = Math.toIntExact(input.size(0));
        int length = Math.toIntExact(input.size(1));
        int inputs = Math.toIntExact(input.size(2));
        FloatBuffer source = floats(input);
        List<DenseKernel> kernels = new ArrayList<>();
        List<Tensor> results = new ArrayList<>();
        List<FloatBuffer> targets = new ArrayList<>();
        for (Projection projection : projections) {
            DenseKernel kernel = checked(projection, inputs, input);
            Tensor result = Tensor.zeros(DType.FLOAT32, batch, kernel.heads, length, kernel.width);
            kernels.add(kernel);
            results.add(result);
            targets.add(result.floats());
        }
        forEachBlock(batch * length, (first, count) -> {
            float[][] rows = new float[DenseKernel.padded(count)][inputs];
            for (int row = 0; row < count; row++) {
                source.get((first + row) * inputs, rows[row]);
            }
            for (int n = 0; n < kernels.size(); n++) {
                DenseKernel kernel = kernels.get(n);
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
        DenseKernel kernel = checked(projection, inputs, heads);
        FloatBuffer source = floats(heads);
        FloatBuffer gates = gate == null ? null : floats(gate);
        Tensor result = Tensor.zeros(DType.FLOAT32, batch, length, kernel.outputs());
        FloatBuffer target = result.floats();
        forEachBlock(batch * length, (first, count) -> {
            float[][] rows = new float[DenseKernel.padded(count)][inputs];
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

    private static void multiplyByLogistic(float[] row, int from, int count, FloatBuffer gates, int at) {
        for (int n = 0; n < count; n++) {
            row[from + n] *= (float) (1 / (1 + Math.exp(-gates.get(at + n))));
        }
    }

    private static FloatBuffer floats(Tensor tensor) {
        return tensor.contiguous().to(DType.FLOAT32).floats();
    }

    private static DenseKernel checked(Projection projection, int inputs, Tensor tensor) {
        DenseKernel kernel = (DenseKernel) projection;
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
}
