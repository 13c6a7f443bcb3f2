/** What training does to tensors on the device in place: {@link dev.attention4j.opencl.training.UpdateElements}. */
package dev.attention4j.opencl.training;
