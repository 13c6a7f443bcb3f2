/**
 * The dense projections around attention, as matrix products on the device: {@link
 * dev.attention4j.opencl.projection.ProjectRows} for CPUs, {@link dev.attention4j.opencl.projection.ProjectTiles} for GPUs.
 */
package dev.attention4j.opencl.projection;
