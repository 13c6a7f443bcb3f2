/**
 * The OpenCL runtime over JOCL, and the only package that imports {@code org.jocl}: platforms, devices and their
 * quirks, contexts, queues, buffers, programs, kernels, events, error codes. It knows nothing of attention.
 *
 * <p>What owns a native handle is {@link java.lang.AutoCloseable}, may be closed twice, and is counted by {@link
 * dev.attention4j.opencl.runtime.Handles}.
 */
package dev.attention4j.opencl.runtime;
