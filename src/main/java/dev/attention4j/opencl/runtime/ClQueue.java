package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_event;

/**
 * An in-order queue of commands on one device. Only {@link #finish()} waits.
 *
 * <p>Not thread-safe: the engine enqueues a whole plan under its lock.
 */
public final class ClQueue implements AutoCloseable {
    /** Quiet NaN as a float and as two 16-bit floats of either format. */
    private static final int POISON = 0x7FFF7FFF;

    private static final int FILLED_BYTES = 4096;

    private final DeviceContext context;
    private final boolean blockingTransfers;
    private Handle<cl_command_queue> queue;

    /** The event of the last command; null if it has none. */
    private ClEvent last;

    /** False for GPUs that share the host's memory: their caches may hold written data. */
    private boolean hostSeesWrites;

    private boolean keepsTimes;
    private List<ClEvent> profile;
    private long writes;
    private long reads;

    private ClQueue(DeviceContext context, cl_command_queue queue) {
        this.context = context;
        this.queue = new Handle<>(Handle.Kind.QUEUE, "the queue", queue);
        this.blockingTransfers = context.device().quirks().has(Quirks.Quirk.BLOCKING_TRANSFERS);
    }

    static ClQueue create(DeviceContext context) {
        ClQueue queue = new ClQueue(context, create(context, 0));
        try {
            queue.hostSeesWrites =
                    context.sharesHostMemory() && context.device().isCpuClass() && queue.fillIsSeen();
        } catch (RuntimeException e) {
            queue.close();
            throw e;
        }
        return queue;
    }

    /** Calls a deprecated function, because OpenCL 1.2 has no other. */
    @SuppressWarnings("deprecation")
    private static cl_command_queue create(DeviceContext context, long properties) {
        return Calls.create(
                "clCreateCommandQueue",
                code -> CL.clCreateCommandQueue(
                        context.handle(), context.device().id(), properties, code));
    }

    private cl_command_queue handle() {
        return queue.get();
    }

    /** Adds an event of each kernel launched from now on to a list, whose owner closes them; null to stop. */
    public void profileInto(List<ClEvent> events) {
        handle();
        if (events != null && !keepsTimes) {
            // Only now: with profiling, drivers take longer for small commands.
            finish();
            Handle<cl_command_queue> before = queue;
            queue = new Handle<>(Handle.Kind.QUEUE, "the queue", create(context, CL.CL_QUEUE_PROFILING_ENABLE));
            before.release(CL::clReleaseCommandQueue);
            keepsTimes = true;
        }
        profile = events;
    }

    /**
     * Enqueues a copy from the host. The memory must be direct, unchanged and reachable until the queue has done it.
     */
    public void write(ClBuffer target, ByteBuffer source) {
        ByteBuffer fromPosition = source.slice();
        if (fromPosition.capacity() == 0) {
            return;
        }
        cl_command_queue handle = handle();
        writes++;
        setLast(null);
        Calls.run(
                "clEnqueueWriteBuffer",
                () -> DirectTransfers.write(
                        handle, target.handle(), blockingTransfers, fromPosition.capacity(), Pointer.to(fromPosition)));
    }

    /** Enqueues a copy to the host. The memory must be direct and reachable until the queue has done it. */
    public void read(ClBuffer source, ByteBuffer target) {
        read(source, 0, target);
    }

    /** Does {@link #read(ClBuffer, ByteBuffer)} from any byte on. */
    public void read(ClBuffer source, long firstByte, ByteBuffer target) {
        ByteBuffer fromPosition = target.slice();
        if (fromPosition.capacity() == 0) {
            return;
        }
        cl_command_queue handle = handle();
        reads++;
        setLast(null);
        Calls.run(
                "clEnqueueReadBuffer",
                () -> DirectTransfers.read(
                        handle,
                        source.handle(),
                        blockingTransfers,
                        firstByte,
                        fromPosition.capacity(),
                        Pointer.to(fromPosition)));
    }

    /** The number of copies from the host since the start; shared memory is not copied. */
    public long writes() {
        return writes;
    }

    /** The number of copies to the host since the start. */
    public long reads() {
        return reads;
    }

    /**
     * Makes a shared buffer's new contents visible to the host, as the standard demands: maps and unmaps it. Nothing is enqueued
     * where the host sees them at once: on a processor these two commands take longer than a small attention.
     */
    public void syncShared(ClBuffer buffer) {
        cl_command_queue handle = handle();
        if (hostSeesWrites) {
            return;
        }
        setLast(null);
        ByteBuffer mapped = Calls.create(
                "clEnqueueMapBuffer",
                code -> CL.clEnqueueMapBuffer(
                        handle, buffer.handle(), false, CL.CL_MAP_READ, 0, buffer.byteSize(), 0, null, null, code));
        Calls.run("clEnqueueUnmapMemObject", () -> DirectTransfers.unmap(handle, buffer.handle(), mapped));
    }

    /** Returns whether the host sees what the device writes into shared memory without mapping, by trying. */
    private boolean fillIsSeen() {
        ByteBuffer memory = ByteBuffer.allocateDirect(FILLED_BYTES).order(ByteOrder.nativeOrder());
        try (ClBuffer buffer = context.share(memory)) {
            poison(buffer);
            finish();
        }
        boolean seen = true;
        for (int at = 0; at < FILLED_BYTES; at += Integer.BYTES) {
            seen &= memory.getInt(at) == POISON;
        }
        return seen;
    }

    /** Fills a buffer with NaN, so that reads of unwritten memory show. */
    public void poison(ClBuffer buffer) {
        fill(buffer, buffer.byteSize() / 4 * 4, Pointer.to(new int[] {POISON}), 4);
    }

    /** Fills a buffer with zeros. */
    public void zero(ClBuffer buffer) {
        fill(buffer, buffer.byteSize(), Pointer.to(new byte[1]), 1);
    }

    private void fill(ClBuffer buffer, long bytes, Pointer pattern, int patternBytes) {
        cl_command_queue handle = handle();
        setLast(null);
        Calls.run(
                "clEnqueueFillBuffer",
                () -> CL.clEnqueueFillBuffer(handle, buffer.handle(), pattern, patternBytes, 0, bytes, 0, null, null));
    }

    /** Enqueues a kernel with its current arguments: work-items along each axis, multiples of those of a work-group. */
    public void launch(ClKernel kernel, long[] global, long[] group) {
        cl_command_queue handle = handle();
        cl_event event = new cl_event();
        int code = Calls.codeOf(
                "clEnqueueNDRangeKernel",
                () -> CL.clEnqueueNDRangeKernel(
                        handle, kernel.handle(), global.length, null, global, group, 0, null, event));
        if (code != CL.CL_SUCCESS) {
            throw new ClException(
                    "clEnqueueNDRangeKernel",
                    code,
                    kernel.name() + ", global " + Arrays.toString(global) + ", group " + Arrays.toString(group));
        }
        if (profile == null) {
            setLast(new ClEvent(event, kernel.name()));
        } else {
            setLast(null);
            profile.add(new ClEvent(event, kernel.name()));
        }
    }

    private void setLast(ClEvent event) {
        if (last != null) {
            last.close();
        }
        last = event;
    }

    /**
     * Sends all enqueued commands to the device, and returns an event that is complete when they are: the last kernel's
     * own, or a marker, which errors call {@code what}. The caller closes it.
     */
    public ClEvent marker(String what) {
        cl_command_queue handle = handle();
        ClEvent marker = last;
        last = null;
        if (marker == null) {
            cl_event event = new cl_event();
            Calls.run("clEnqueueMarkerWithWaitList", () -> CL.clEnqueueMarkerWithWaitList(handle, 0, null, event));
            marker = new ClEvent(event, what);
        }
        try {
            Calls.run("clFlush", () -> CL.clFlush(handle));
        } catch (RuntimeException e) {
            marker.close();
            throw e;
        }
        return marker;
    }

    /** Waits for all commands, by an event: Rusticl's clFinish (Mesa 22.3) returns before a read has arrived. */
    public void finish() {
        try (ClEvent last = marker("all that was enqueued")) {
            last.await();
        }
    }

    @Override
    public void close() {
        setLast(null);
        queue.release(CL::clReleaseCommandQueue);
    }
}
