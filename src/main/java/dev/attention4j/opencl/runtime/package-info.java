/**
 * OpenCL objects over JOCL: devices and their quirks, contexts, queues, buffers, programs, kernels, events, errors. No other
 * package calls OpenCL. It knows nothing of attention.
 *
 * <p>Owners of native handles are {@link java.lang.AutoCloseable}, may be closed twice, and are counted by {@link
 * dev.attention4j.opencl.runtime.Handle}.
 */
package dev.attention4j.opencl.runtime;
