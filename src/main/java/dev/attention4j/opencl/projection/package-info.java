/**
 * The dense projections around attention, as matrix products on the device: kernels of {@code opencl/projection/} and
 * what they are given. {@link dev.attention4j.opencl.projection.ProjectRows} is for CPUs, {@link
 * dev.attention4j.opencl.projection.ProjectTiles} for GPUs.
 */
package dev.attention4j.opencl.projection;
