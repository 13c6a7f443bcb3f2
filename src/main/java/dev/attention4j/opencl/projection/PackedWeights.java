package dev.attention4j.opencl.projection;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;

/** Weights in the order in which kernels read them: {@code weights} of {@code opencl/projection/project_call.clh}. */
public final class PackedWeights {
    private PackedWeights() {}

    /**
     * Packs a kernel and its bias into panels of neighbouring columns.
     *
     * @param kernel [inputs, heads, width], of any float type, on the host
     * @param bias [heads, width], or null for none
     * @param panel columns of a panel
     * @return [panels, 1 + inputs, panel], float32 on the host, 0 beyond the last column
     */
    public static Tensor pack(Tensor kernel, Tensor bias, int panel) {
        int inputs = Math.toIntExact(kernel.size(0));
        int columns = Math.toIntExact(kernel.size(1) * kernel.size(2));
        int panels = (columns + panel - 1) / panel;
        Tensor packed = Tensor.zeros(DType.FLOAT32, panels, 1 + inputs, panel);
        FloatBuffer target = packed.floats();
        FloatBuffer weights = floats(kernel);
        FloatBuffer biases = bias == null ? null : floats(bias);
        for (int n = 0; n < panels; n++) {
            int first = n * panel;
            int count = Math.min(panel, columns - first);
            int at = n * (1 + inputs) * panel;
            if (biases != null) {
                target.put(at, biases, first, count);
            }
            for (int input = 0; input < inputs; input++) {
                target.put(at + (1 + input) * panel, weights, input * columns + first, count);
            }
        }
        return packed;
    }

    private static FloatBuffer floats(Tensor tensor) {
        return tensor.contiguous().to(DType.FLOAT32).floats();
    }
}
