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
     * @param kernel [inputs, heads, width], float32 with any strides, of host or device; one head for a projection of {@link
     *     #fromHeads}, whose inputs are the widths of all heads
     * @param bias [heads, width], float32, where the kernel is, or null for none
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

    /**
     * Computes the gradients of the weights of projections of one input: for each weight the sum, over all positions, of what
     * it is multiplied with times the derivative by what it is added to. Sums are made in blocks, always in the same order.
     * The gradient of the input is a projection by the transposed kernel.
     *
     * @param input [batch, heads, length, width], FLOAT32, row-major, of host or device: the heads of {@link #fromHeads}, or
     *     the input of {@link #toHeads} as one head
     * @param gate as given to {@link #fromHeads}, or null
     * @param resultGradients for each projection the derivative by its result, [batch, heads, length, width] with the input's
     *     batch and length, FLOAT32, row-major; that of {@link #fromHeads} as one head
     * @return for each projection [1 + inputs, outputs], FLOAT32: the gradient of its bias, under it that of its kernel
     * @throws IllegalArgumentException if types or shapes do not fit
     * @throws IllegalStateException if the projector's engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    List<Tensor> weightGradients(Tensor input, Tensor gate, List<Tensor> resultGradients);
}
