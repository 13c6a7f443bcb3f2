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
 * An in-order queue of commands on one device. Nothing here waits but {@link #finish()}.
 *
 * <p>Not thread-safe: the engine enqueues a whole plan under its lock.
 */
public final class ClQueue implements AutoCloseable {
    /** Quiet NaN as a float and as two 16-bit floats of either format. */
    private static final int POISON = 0x7FFF7FFF;

    private static final int FILLED_BYTES = 4096;

    private final DeviceContext context;
    private final Handles receipt = Handles.created(Handles.Kind.QUEUE);
    private final boolean blockingTransfers;
    /** Given to OpenCL through {@link #handle()} alone: a driver crashes on one that was released. */
    private cl_command_queue queue;

    /** The event of what was enqueued last; null where that has none. */
    private ClEvent last;

    /** Never of a GPU that shares the host's memory, whose caches may hold what it writes. */
    private boolean hostSeesWrites;

    private boolean keepsTimes;
    private List<ClEvent> profile;
    private long writes;
    private long reads;

    private ClQueue(DeviceContext context, cl_command_queue queue) {
        this.context = context;
        this.queue = queue;
        this.blockingTransfers = context.device().quirks().has(Quirks.Quirk.BLOCKING_TRANSFERS);
    }

    static ClQueue create(DeviceContext context) {
        ClQueue queue = new ClQueue(context, create(context, 0));
        try {
            queue.hostSeesWrites =
                    context.sharesHostMemory() && context.device().type() == ClDevice.Type.CPU && queue.fillIsSeen();
        } catch (RuntimeException e) {
            queue.close();
            throw e;
        }
        return queue;
    }

    /** The deprecated call, because OpenCL 1.2 has no other. */
    @SuppressWarnings("deprecation")
    private static cl_command_queue create(DeviceContext context, long properties) {
        return ClException.create(
                "clCreateCommandQueue",
                code -> CL.clCreateCommandQueue(
                        context.handle(), context.device().id(), properties, code));
    }

    private cl_command_queue handle() {
        if (receipt.isReleased()) {
            throw new IllegalStateException("the queue is closed");
        }
        return queue;
    }

    /**
     * Collects an event for each kernel launched from now on.
     *
     * @param events where to; the caller closes them; null to stop
     * @throws IllegalStateException if the queue is closed
     */
    public void profileInto(List<ClEvent> events) {
        cl_command_queue before = handle();
        if (events != null && !keepsTimes) {
            // Not from the start: a driver that notes times for each command takes longer for small ones.
            finish();
            cl_command_queue timed = create(context, CL.CL_QUEUE_PROFILING_ENABLE);
            CL.clReleaseCommandQueue(before);
            queue = timed;
            keepsTimes = true;
        }
        profile = events;
    }

    /**
     * Copies from the host; the memory must stay as it is, and be kept from the garbage collector, until the queue has
     * done it.
     *
     * @param target at least as large
     * @param source direct
     */
    public void write(ClBuffer target, ByteBuffer source) {
        ByteBuffer fromPosition = source.slice();
        if (fromPosition.capacity() == 0) {
            return;
        }
        cl_command_queue handle = handle();
        writes++;
        setLast(null);
        ClException.run(
                "clEnqueueWriteBuffer",
                () -> UnwatchedTransfers.write(
                        handle, target.handle(), blockingTransfers, fromPosition.capacity(), Pointer.to(fromPosition)));
    }

    /**
     * Copies to the host; the memory holds the result once the queue has done it, and must be kept from the garbage
     * collector until then.
     *
     * @param source at least as large
     * @param target direct
     */
    public void read(ClBuffer source, ByteBuffer target) {
        read(source, 0, target);
    }

    /**
     * As {@link #read(ClBuffer, ByteBuffer)} from any byte on.
     *
     * @param source as large as both together
     * @param firstByte in the source
     * @param target direct
     */
    public void read(ClBuffer source, long firstByte, ByteBuffer target) {
        ByteBuffer fromPosition = target.slice();
        if (fromPosition.capacity() == 0) {
            return;
        }
        cl_command_queue handle = handle();
        reads++;
        setLast(null);
        ClException.run(
                "clEnqueueReadBuffer",
                () -> UnwatchedTransfers.read(
                        handle,
                        source.handle(),
                        blockingTransfers,
                        firstByte,
                        fromPosition.capacity(),
                        Pointer.to(fromPosition)));
    }

    /**
     * How often this queue has copied from the host; memory that both share is not copied.
     *
     * @return since the start
     */
    public long writes() {
        return writes;
    }

    /**
     * How often this queue has copied to the host.
     *
     * @return since the start
     */
    public long reads() {
        return reads;
    }

    /**
     * Makes what kernels wrote into a shared buffer visible to the host, as the standard asks: maps it and unmaps it.
     * Nothing is enqueued where the host sees it at once: for a processor these two commands take longer than a small
     * attention.
     *
     * @param buffer shares the host's memory
     */
    public void syncShared(ClBuffer buffer) {
        cl_command_queue handle = handle();
        if (hostSeesWrites) {
            return;
        }
        setLast(null);
        ByteBuffer mapped = ClException.create(
                "clEnqueueMapBuffer",
                code -> CL.clEnqueueMapBuffer(
                        handle, buffer.handle(), false, CL.CL_MAP_READ, 0, buffer.byteSize(), 0, null, null, code));
        ClException.run("clEnqueueUnmapMemObject", () -> UnwatchedTransfers.unmap(handle, buffer.handle(), mapped));
    }

    /** Whether what the device writes into shared memory is there without mapping; one fill shows it. */
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

    /**
     * Fills a buffer with NaN, so that reading what was never written shows.
     *
     * @param buffer any
     */
    public void poison(ClBuffer buffer) {
        cl_command_queue handle = handle();
        setLast(null);
        long whole = buffer.byteSize() / 4 * 4;
        ClException.run(
                "clEnqueueFillBuffer",
                () -> CL.clEnqueueFillBuffer(
                        handle, buffer.handle(), Pointer.to(new int[] {POISON}), 4, 0, whole, 0, null, null));
    }

    /**
     * Launches a kernel with the arguments that it has now.
     *
     * @param kernel with all arguments set
     * @param global work-items along each axis, each a multiple of the group's
     * @param group work-items of a work-group along each axis
     */
    public void launch(ClKernel kernel, long[] global, long[] group) {
        cl_command_queue handle = handle();
        cl_event event = new cl_event();
        int code = ClException.codeOf(
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
     * An event that is complete when all that was enqueued so far is, of a kernel if that came last; also sends it to the
     * device.
     *
     * @param what names it in errors
     * @return to be closed by the caller
     */
    public ClEvent marker(String what) {
        cl_command_queue handle = handle();
        ClEvent marker = last;
        last = null;
        if (marker == null) {
            cl_event event = new cl_event();
            ClException.run(
                    "clEnqueueMarkerWithWaitList", () -> CL.clEnqueueMarkerWithWaitList(handle, 0, null, event));
            marker = new ClEvent(event, what);
        }
        try {
            ClException.run("clFlush", () -> CL.clFlush(handle));
        } catch (RuntimeException e) {
            marker.close();
            throw e;
        }
        return marker;
    }

    /**
     * Waits for all that was enqueued: by an event, because clFinish of Rusticl (Mesa 22.3) returns before a read has
     * arrived.
     */
    public void finish() {
        try (ClEvent last = marker("all that was enqueued")) {
            last.await();
        }
    }

    @Override
    public void close() {
        if (receipt.release()) {
            setLast(null);
            CL.clReleaseCommandQueue(queue);
        }
    }
}
