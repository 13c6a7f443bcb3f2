/** Updates of tensors on the device, in place, for training: {@link dev.attention4j.opencl.training.UpdateElements}. */
package dev.attention4j.opencl.training;
