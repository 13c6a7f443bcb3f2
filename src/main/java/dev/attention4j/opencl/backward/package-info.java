/** The kernels of gradients, each with the class that launches it. */
package dev.attention4j.opencl.backward;
