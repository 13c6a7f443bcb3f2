/**
 * The fused plans: one pass over keys and values with an online softmax, so that no matrix of scores lies in memory.
 *
 * <p>{@link dev.attention4j.opencl.fused.ForwardRows} is for CPUs, {@link dev.attention4j.opencl.fused.ForwardDecode}
 * for CPUs where few queries share the keys, {@link dev.attention4j.opencl.fused.ForwardTiles} for GPUs. Each launches
 * the kernel of its name in {@code opencl/fused/}, through {@code DeviceCall}; two of them split the keys and have
 * {@code MergeSplits} put the parts together, and rows has {@code WidenRows} widen keys of 16 bits that many rows read.
 */
package dev.attention4j.opencl.fused;
