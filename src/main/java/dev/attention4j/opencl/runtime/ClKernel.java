package dev.attention4j.opencl.runtime;

import java.util.ArrayList;
import java.util.List;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;

/**
 * A kernel of a built program, and the arguments that it has now.
 *
 * <p>Not thread-safe: {@code clSetKernelArg} is the one OpenCL call that is not.
 */
public final class ClKernel implements AutoCloseable {
    private final cl_kernel kernel;
    private final String name;
    private final int largestGroup;
    private final Handles receipt = Handles.created(Handles.Kind.KERNEL);
    /** What each argument is set to; null for a buffer over host memory, which nothing here shall keep alive. */
    private final List<Object> lastSet = new ArrayList<>();

    private ClKernel(cl_kernel kernel, String name, int largestGroup) {
        this.kernel = kernel;
        this.name = name;
        this.largestGroup = largestGroup;
    }

    static ClKernel create(DeviceContext context, ClProgram program, String name) {
        cl_kernel kernel = ClException.create(
                "clCreateKernel(" + name + ")", code -> CL.clCreateKernel(program.handle(), name, code));
        int largest;
        try {
            largest = (int) Math.min(
                    Integer.MAX_VALUE,
                    Info.number(
                            "clGetKernelWorkGroupInfo",
                            8,
                            (bytes, answer, size) -> CL.clGetKernelWorkGroupInfo(
                                    kernel, context.device().id(), CL.CL_KERNEL_WORK_GROUP_SIZE, bytes, answer, size)));
        } catch (ClException e) {
            largest = context.device().maxWorkGroupSize();
        }
        return new ClKernel(kernel, name, largest);
    }

    /**
     * Its name in the kernel file.
     *
     * @return the function's name
     */
    public String name() {
        return name;
    }

    /**
     * The largest work-group that this kernel can be launched with here; the device's maximum can be higher.
     *
     * @return work-items
     */
    public int largestGroup() {
        return largestGroup;
    }

    /**
     * Starts setting all arguments anew, in the order of the kernel's parameters.
     *
     * @return a setter at the first parameter
     */
    public Arguments arguments() {
        return new Arguments();
    }

    cl_kernel handle() {
        if (receipt.isReleased()) {
            throw new IllegalStateException("the kernel " + name + " is closed");
        }
        return kernel;
    }

    @Override
    public void close() {
        if (receipt.release()) {
            CL.clReleaseKernel(kernel);
        }
    }

    /**
     * Sets one argument after another; the type of each call is the type of the kernel's parameter. What is as it was
     * at the last launch is not set again: a small problem's call takes hardly longer than its fifty arguments.
     */
    public final class Arguments {
        private int index;

        private Arguments() {}

        /**
         * A {@code __global} pointer.
         *
         * @param buffer open
         * @return this
         */
        public Arguments buffer(ClBuffer buffer) {
            // The objects are compared, not their handles: a driver may give a new one the handle of one released.
            cl_mem handle = buffer.handle();
            return isSet(buffer) ? this : set(buffer.isShared() ? null : buffer, Sizeof.cl_mem, Pointer.to(handle));
        }

        /**
         * An {@code int}.
         *
         * @param value any
         * @return this
         */
        public Arguments integer(int value) {
            return isSet(value) ? this : set(value, Sizeof.cl_int, Pointer.to(new int[] {value}));
        }

        /**
         * A {@code long}.
         *
         * @param value any
         * @return this
         */
        public Arguments longInteger(long value) {
            return isSet(value) ? this : set(value, Sizeof.cl_long, Pointer.to(new long[] {value}));
        }

        /**
         * A {@code float}.
         *
         * @param value any
         * @return this
         */
        public Arguments real(float value) {
            return isSet(value) ? this : set(value, Sizeof.cl_float, Pointer.to(new float[] {value}));
        }

        /**
         * A {@code __local} pointer.
         *
         * @param byteSize of the memory that each work-group gets
         * @return this
         */
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
            int code = ClException.codeOf("clSetKernelArg", () -> CL.clSetKernelArg(handle(), index, size, pointer));
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

    /** What a {@code __local} argument is set to. */
    private record LocalMemory(long byteSize) {}
}
