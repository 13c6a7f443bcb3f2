package dev.attention4j;

import java.util.List;

/**
 * The dense projections around attention, computed in one place; for those who write engines. A layer computes
 *
 * <pre>{@code
 * input [batch, length, inputs] ── toHeads ──> query, key, value [batch, heads, length, width]
 * attention's output [batch, heads, length, width] ── fromHeads ──> output [batch, length, outputs]
 * }</pre>
 *
 * and both are matrix products in float32 that store results with the heads' axis in place, so that nothing is
 * transposed. May be called from many threads. Results are new tensors where the projector computes; the caller closes
 * them.
 */
public interface Projector {
    /** The weights of one projection in the memory of the projector, for many calls. */
    interface Projection extends AutoCloseable {
        /** Frees the weights; closing again does nothing. */
        @Override
        void close();
    }

    /**
     * Copies weights to where the projector computes.
     *
     * @param kernel [inputs, heads, width], float32 on the host; one head for a projection of {@link #fromHeads},
     *     whose inputs are the widths of all heads
     * @param bias [heads, width], float32 on the host, or null for none
     * @return a copy, closed by the caller
     * @throws IllegalStateException if the projector's engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    Projection prepare(Tensor kernel, Tensor bias);

    /**
     * Projects one input several times into heads, in one pass over it.
     *
     * @param input [batch, length, inputs], a float type, row-major, of host or device
     * @param projections at least one, prepared here from kernels with that many inputs
     * @return for each projection [batch, heads, length, width] in the input's type
     * @throws IllegalArgumentException if a kernel has not as many inputs as the input
     * @throws IllegalStateException if the projector's engine or the input is closed
     * @throws DeviceException if the device fails
     */
    List<Tensor> toHeads(Tensor input, List<Projection> projections);

    /**
     * Projects the heads of each position, concatenated, to the output.
     *
     * @param heads [batch, heads, length, width], a float type, row-major, of host or device
     * @param gate as heads, or null for none; each element of heads is first multiplied by the logistic function of
     *     gate's
     * @param projection prepared here from a kernel [heads · width, 1, outputs]
     * @return [batch, length, outputs] in the heads' type
     * @throws IllegalArgumentException if the kernel has not as many inputs as the heads together
     * @throws IllegalStateException if the projector's engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    Tensor fromHeads(Tensor heads, Tensor gate, Projection projection);
}
