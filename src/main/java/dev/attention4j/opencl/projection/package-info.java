/**
 * The dense projections around attention, as matrix products on the device: kernels of {@code opencl/projection/} and what
 * they are given.
 */
package dev.attention4j.opencl.projection;
