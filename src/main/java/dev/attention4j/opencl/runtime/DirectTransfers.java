package dev.attention4j.opencl.runtime;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_event;
import org.jocl.cl_mem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * JOCL's non-blocking transfers without the thread that JOCL wakes for each.
 *
 * <p>That thread waits for the command, to keep the memory from the garbage collector. Here the caller keeps the memory. On a
 * processor that is its own OpenCL device the thread takes the place of one that computes: a call of a third of a millisecond
 * took a tenth longer. The native methods of JOCL 2.0.6 are private. Where they cannot be reached, its public methods are
 * called.
 */
final class DirectTransfers {
    private static final Logger LOG = LoggerFactory.getLogger(DirectTransfers.class);

    private static final Class<?>[] COPY = {
        cl_command_queue.class,
        cl_mem.class,
        boolean.class,
        long.class,
        long.class,
        Pointer.class,
        int.class,
        cl_event[].class,
        cl_event.class
    };
    private static final MethodHandle READ = method("clEnqueueReadBuffer", COPY);
    private static final MethodHandle WRITE = method("clEnqueueWriteBuffer", COPY);
    private static final MethodHandle UNMAP = method(
            "clEnqueueUnmapMemObject",
            cl_command_queue.class,
            cl_mem.class,
            ByteBuffer.class,
            int.class,
            cl_event[].class,
            cl_event.class);

    private DirectTransfers() {}

    /** Finds the native method, or the public one of the same type. */
    private static MethodHandle method(String name, Class<?>... parameters) {
        MethodType type = MethodType.methodType(int.class, parameters);
        try {
            // Found by name: reflecting on all methods of this class takes longer than a call.
            return MethodHandles.privateLookupIn(CL.class, MethodHandles.lookup())
                    .findStatic(CL.class, name + "Native", type);
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.debug("{}: JOCL's own threads wait for it", name, e);
        }
        try {
            return MethodHandles.lookup().findStatic(CL.class, name, type);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** As {@link CL#clEnqueueReadBuffer}, with no events. */
    static int read(
            cl_command_queue queue, cl_mem source, boolean blocking, long firstByte, long byteSize, Pointer target) {
        try {
            return (int) READ.invokeExact(
                    queue, source, blocking, firstByte, byteSize, target, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** As {@link CL#clEnqueueWriteBuffer} to a buffer's start, with no events. */
    static int write(cl_command_queue queue, cl_mem target, boolean blocking, long byteSize, Pointer source) {
        try {
            return (int) WRITE.invokeExact(
                    queue, target, blocking, 0L, byteSize, source, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** As {@link CL#clEnqueueUnmapMemObject}, with no events. */
    static int unmap(cl_command_queue queue, cl_mem buffer, ByteBuffer mapped) {
        try {
            return (int) UNMAP.invokeExact(queue, buffer, mapped, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** The native methods throw unchecked exceptions only. */
    private static RuntimeException unchecked(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        return thrown instanceof RuntimeException exception ? exception : new IllegalStateException(thrown);
    }
}
