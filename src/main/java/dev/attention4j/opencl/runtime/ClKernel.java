package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;

/**
 * A kernel of a built program, and its current arguments.
 *
 * <p>Not thread-safe: {@code clSetKernelArg} is the one OpenCL call that is not.
 */
public final class ClKernel implements AutoCloseable {
    private final Handle<cl_kernel> kernel;
    private final String name;
    private final int largestGroup;
    private final long privateBytes;
    /** The arguments' values; null for a buffer over host memory, which must not be kept alive from here. */
    private final List<Object> lastSet = new ArrayList<>();

    private ClKernel(cl_kernel kernel, String name, int largestGroup, long privateBytes) {
        this.kernel = new Handle<>(Handle.Kind.KERNEL, "the kernel " + name, kernel);
        this.name = name;
        this.largestGroup = largestGroup;
        this.privateBytes = privateBytes;
    }

    static ClKernel create(DeviceContext context, ClProgram program, String name) {
        cl_kernel kernel =
                Calls.create("clCreateKernel(" + name + ")", code -> CL.clCreateKernel(program.handle(), name, code));
        ClDevice device = context.device();
        long largest = info(kernel, device, CL.CL_KERNEL_WORK_GROUP_SIZE, device.maxWorkGroupSize());
        long privateBytes = info(kernel, device, CL.CL_KERNEL_PRIVATE_MEM_SIZE, 0);
        return new ClKernel(kernel, name, (int) Math.min(Integer.MAX_VALUE, largest), privateBytes);
    }

    private static long info(cl_kernel kernel, ClDevice device, int parameter, long unknown) {
        try {
            return Calls.number(
                    "clGetKernelWorkGroupInfo",
                    8,
                    (bytes, answer, size) ->
                            CL.clGetKernelWorkGroupInfo(kernel, device.id(), parameter, bytes, answer, size));
        } catch (ClException e) {
            return unknown;
        }
    }

    /** The function's name in the kernel file. */
    public String name() {
        return name;
    }

    /** The work-items of the largest work-group that this kernel can be launched with; at most the device's. */
    public int largestGroup() {
        return largestGroup;
    }

    /**
     * The bytes of memory for the variables of a work-item that are not in registers, as the driver says; 0 if it says
     * nothing.
     */
    public long privateBytes() {
        return privateBytes;
    }

    /** Starts setting all arguments, in the order of the kernel's parameters. */
    public Arguments arguments() {
        return new Arguments();
    }

    cl_kernel handle() {
        return kernel.get();
    }

    @Override
    public void close() {
        kernel.release(CL::clReleaseKernel);
    }

    /**
     * Sets one argument after another; each method is for one type of parameter. Arguments that have not changed since the last
     * launch are not set again: a small problem's call takes hardly longer than setting its arguments.
     */
    public final class Arguments {
        private int index;

        private Arguments() {}

        /** Sets a {@code __global} pointer. */
        public Arguments buffer(ClBuffer buffer) {
            // Objects are compared, not handles: a driver may reuse the handle of a released buffer.
            cl_mem handle = buffer.handle();
            return isSet(buffer) ? this : set(buffer.isShared() ? null : buffer, Sizeof.cl_mem, Pointer.to(handle));
        }

        /** Sets an {@code int}. */
        public Arguments integer(int value) {
            return isSet(value) ? this : set(value, Sizeof.cl_int, Pointer.to(new int[] {value}));
        }

        /** Sets a {@code long}. */
        public Arguments longInteger(long value) {
            return isSet(value) ? this : set(value, Sizeof.cl_long, Pointer.to(new long[] {value}));
        }

        /** Sets a {@code float}. */
        public Arguments real(float value) {
            return isSet(value) ? this : set(value, Sizeof.cl_float, Pointer.to(new float[] {value}));
        }

        /** Sets a struct by value, with all of its numbers. */
        public Arguments struct(StructLayout.Values values) {
            byte[] bytes = values.toBytes();
            ByteBuffer comparable = ByteBuffer.wrap(bytes);
            return isSet(comparable) ? this : set(comparable, bytes.length, Pointer.to(bytes));
        }

        /** Sets a {@code __local} pointer to as many bytes for each work-group. */
        public Arguments local(long byteSize) {
            LocalMemory memory = new LocalMemory(byteSize);
            return isSet(memory) ? this : set(memory, byteSize, null);
        }

        private boolean isSet(Object value) {
            boolean same = index < lastSet.size() && value.equals(lastSet.get(index));
            index += same ? 1 : 0;
            return same;
        }

        private Arguments set(Object value, long size, Pointer pointer) {
            int code = Calls.codeOf("clSetKernelArg", () -> CL.clSetKernelArg(handle(), index, size, pointer));
            if (code != CL.CL_SUCCESS) {
                throw new ClException(
                        "clSetKernelArg",
                        code,
                        name + " argument " + index + " (" + (value == null ? "host memory" : value) + "), after "
                                + lastSet.subList(0, Math.min(index, lastSet.size())));
            }
            if (index < lastSet.size()) {
                lastSet.set(index, value);
            } else {
                lastSet.add(value);
            }
            index++;
            return this;
        }
    }

    /** The value of a {@code __local} argument. */
    private record LocalMemory(long byteSize) {}
}
