package dev.attention4j.opencl.runtime;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_event;
import org.jocl.cl_mem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * JOCL's commands that move memory, without the thread that JOCL wakes for each that does not block.
 *
 * <p>That thread waits for the command, so that the garbage collector leaves the memory alone. Here whoever enqueues
 * keeps the memory, and on a processor that is its own OpenCL device the thread takes the place of one that computes: a
 * call of a third of a millisecond took a tenth longer. What JOCL 2.0.6 calls underneath is private; where it cannot be
 * had, the public methods do, thread and all.
 */
final class UnwatchedTransfers {
    private static final Logger LOG = LoggerFactory.getLogger(UnwatchedTransfers.class);

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
    private static final MethodHandle READ = nativeMethod("clEnqueueReadBuffer", COPY);
    private static final MethodHandle WRITE = nativeMethod("clEnqueueWriteBuffer", COPY);
    private static final MethodHandle UNMAP = nativeMethod(
            "clEnqueueUnmapMemObject",
            cl_command_queue.class,
            cl_mem.class,
            ByteBuffer.class,
            int.class,
            cl_event[].class,
            cl_event.class);

    private UnwatchedTransfers() {}

    private static MethodHandle nativeMethod(String name, Class<?>... parameters) {
        try {
            // By its name alone: to reflect on all of this class's methods takes longer than a call.
            return MethodHandles.privateLookupIn(CL.class, MethodHandles.lookup())
                    .findStatic(CL.class, name + "Native", MethodType.methodType(int.class, parameters));
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.debug("{}{}: JOCL's own threads wait for it", name, Arrays.toString(parameters), e);
            return null;
        }
    }

    /** As {@link CL#clEnqueueReadBuffer}, with no events. */
    static int read(
            cl_command_queue queue, cl_mem source, boolean blocking, long firstByte, long byteSize, Pointer target) {
        if (READ == null) {
            return CL.clEnqueueReadBuffer(queue, source, blocking, firstByte, byteSize, target, 0, null, null);
        }
        try {
            return (int) READ.invokeExact(
                    queue, source, blocking, firstByte, byteSize, target, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** As {@link CL#clEnqueueWriteBuffer} to a buffer's start, with no events. */
    static int write(cl_command_queue queue, cl_mem target, boolean blocking, long byteSize, Pointer source) {
        if (WRITE == null) {
            return CL.clEnqueueWriteBuffer(queue, target, blocking, 0, byteSize, source, 0, null, null);
        }
        try {
            return (int) WRITE.invokeExact(
                    queue, target, blocking, 0L, byteSize, source, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** As {@link CL#clEnqueueUnmapMemObject}, with no events. */
    static int unmap(cl_command_queue queue, cl_mem buffer, ByteBuffer mapped) {
        if (UNMAP == null) {
            return CL.clEnqueueUnmapMemObject(queue, buffer, mapped, 0, null, null);
        }
        try {
            return (int) UNMAP.invokeExact(queue, buffer, mapped, 0, (cl_event[]) null, (cl_event) null);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** What a native method may throw is unchecked. */
    private static RuntimeException unchecked(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        return thrown instanceof RuntimeException exception ? exception : new IllegalStateException(thrown);
    }
}
