package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_mem;

/** A block of device memory. */
public final class ClBuffer implements AutoCloseable {
    private final Handle<cl_mem> mem;
    private final long byteSize;

    /** The host memory of a shared buffer, kept from the garbage collector as long as the device may read it. */
    private final ByteBuffer shared;

    private ClBuffer(cl_mem mem, long byteSize, ByteBuffer shared) {
        this.mem = new Handle<>(Handle.Kind.BUFFER, "the buffer", mem);
        this.byteSize = byteSize;
        this.shared = shared;
    }

    static ClBuffer allocate(DeviceContext context, long byteSize) {
        cl_mem mem = Calls.create(
                "clCreateBuffer of " + byteSize + " bytes",
                code -> CL.clCreateBuffer(context.handle(), CL.CL_MEM_READ_WRITE, byteSize, null, code));
        return new ClBuffer(mem, byteSize, null);
    }

    /** Makes a buffer that is the host's memory, without a copy. */
    static ClBuffer sharing(DeviceContext context, ByteBuffer memory) {
        ByteBuffer fromStart = memory.slice();
        cl_mem mem = Calls.create(
                "clCreateBuffer over " + fromStart.capacity() + " bytes of the host",
                code -> CL.clCreateBuffer(
                        context.handle(),
                        CL.CL_MEM_READ_WRITE | CL.CL_MEM_USE_HOST_PTR,
                        fromStart.capacity(),
                        Pointer.to(fromStart),
                        code));
        return new ClBuffer(mem, fromStart.capacity(), fromStart);
    }

    cl_mem handle() {
        return mem.get();
    }

    /** The allocated size: at least the requested one. */
    public long byteSize() {
        return byteSize;
    }

    /** Returns whether the buffer is the host's own memory. */
    public boolean isShared() {
        return shared != null;
    }

    /** Its size, for messages. */
    @Override
    public String toString() {
        return byteSize + " bytes";
    }

    @Override
    public void close() {
        mem.release(CL::clReleaseMemObject);
    }
}
