package dev.attention4j.opencl.runtime;

import java.util.ArrayList;
import java.util.List;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_kernel;

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

    private ClKernel(cl_kernel kernel, String name, int largestGroup) {
        this.kernel = kernel;
        this.name = name;
        this.largestGroup = largestGroup;
    }

    static ClKernel create(DeviceContext context, ClProgram program, String name) {
        cl_kernel kernel = ClException.create(
                "clCreateKernel(" + name + ")", code -> CL.clCreateKernel(program.handle(), name, code));
        long[] size = new long[1];
        int code = ClException.codeOf(() -> CL.clGetKernelWorkGroupInfo(
                kernel, context.device().id(), CL.CL_KERNEL_WORK_GROUP_SIZE, 8, Pointer.to(size), null));
        int largest = code == CL.CL_SUCCESS
                ? (int) Math.min(Integer.MAX_VALUE, size[0])
                : context.device().maxWorkGroupSize();
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

    /** Sets one argument after another; the type of each call is the type of the kernel's parameter. */
    public final class Arguments {
        private final List<String> set = new ArrayList<>();

        private Arguments() {}

        /**
         * A {@code __global} pointer.
         *
         * @param buffer open
         * @return this
         */
        public Arguments buffer(ClBuffer buffer) {
            return set("buffer", Sizeof.cl_mem, Pointer.to(buffer.handle()));
        }

        /**
         * An {@code int}.
         *
         * @param value any
         * @return this
         */
        public Arguments integer(int value) {
            return set("int " + value, Sizeof.cl_int, Pointer.to(new int[] {value}));
        }

        /**
         * A {@code long}.
         *
         * @param value any
         * @return this
         */
        public Arguments longInteger(long value) {
            return set("long " + value, Sizeof.cl_long, Pointer.to(new long[] {value}));
        }

        /**
         * A {@code float}.
         *
         * @param value any
         * @return this
         */
        public Arguments real(float value) {
            return set("float " + value, Sizeof.cl_float, Pointer.to(new float[] {value}));
        }

        /**
         * A {@code __local} pointer.
         *
         * @param byteSize of the memory that each work-group gets
         * @return this
         */
        public Arguments local(long byteSize) {
            return set("local " + byteSize, byteSize, null);
        }

        private Arguments set(String what, long size, Pointer pointer) {
            int index = set.size();
            int code = ClException.codeOf(() -> CL.clSetKernelArg(handle(), index, size, pointer));
            if (code != CL.CL_SUCCESS) {
                throw new ClException(
                        "clSetKernelArg", code, name + " argument " + index + " (" + what + "), after " + set);
            }
            set.add(what);
            return this;
        }
    }
}
