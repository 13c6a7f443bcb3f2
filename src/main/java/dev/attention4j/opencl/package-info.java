/**
 * The OpenCL engine: picks a plan for a problem on a device, brings tensors there and back, and owns those that stay.
 */
package dev.attention4j.opencl;
