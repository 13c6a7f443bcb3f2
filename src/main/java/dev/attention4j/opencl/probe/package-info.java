/** Finds the capabilities of a device by trying. */
package dev.attention4j.opencl.probe;
