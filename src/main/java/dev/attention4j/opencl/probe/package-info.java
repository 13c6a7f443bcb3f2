/** Finds out what a device can do by doing it. */
package dev.attention4j.opencl.probe;
