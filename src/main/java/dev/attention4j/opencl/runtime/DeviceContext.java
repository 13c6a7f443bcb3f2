package dev.attention4j.opencl.runtime;

import dev.attention4j.opencl.machine.SignalHandlers;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.jocl.CL;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open device: its context, queue, pool of buffers and built kernels. One context per device, as NVIDIA's driver wants it.
 *
 * <p>Closing it waits for the queue and frees everything. The engine's lock guards kernels and pool.
 */
public final class DeviceContext implements AutoCloseable {
    /**
     * Subnormal numbers may be 0: the softmax of scores that lie far apart is full of them, which made staged and tiles 3 to 13
     * times as slow (PoCL, AVX-512). No warnings: PoCL 3.1 prints their number on the user's screen, which looks like a
     * failure.
     */
    private static final String BUILD_OPTIONS = "-cl-std=CL1.2 -cl-denorms-are-zero -w";

    /** For kernels whose tiles fill the registers: 256 of a hardware thread of Intel's in place of 128. */
    static final String MORE_REGISTERS = " -cl-intel-256-GRF-per-thread";

    private static final Logger LOG = LoggerFactory.getLogger(DeviceContext.class);

    private final ClDevice device;
    private final Handle<cl_context> context;
    private final ClQueue queue;
    private final BufferPool pool;
    private final ProgramCache programCache;
    private final Map<String, ClProgram> programs = new HashMap<>();
    private final Map<String, ClKernel> kernels = new HashMap<>();

    /** Null until they are asked for. */
    private Capabilities capabilities;

    private DeviceContext(ClDevice device, Path programCache, long maxDeviceBytes) {
        this.device = device;
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, device.platform());
        cl_context created = Calls.create(
                "clCreateContext on " + device,
                code -> SignalHandlers.keep(
                        () -> CL.clCreateContext(properties, 1, new cl_device_id[] {device.id()}, null, null, code)));
        context = new Handle<>(Handle.Kind.CONTEXT, "the device " + device, created);
        try {
            queue = ClQueue.create(this);
        } catch (RuntimeException e) {
            context.release(CL::clReleaseContext);
            throw e;
        }
        pool = new BufferPool(
                this,
                maxDeviceBytes > 0 ? Math.min(maxDeviceBytes, device.usableMemoryBytes()) : device.usableMemoryBytes());
        this.programCache = ProgramCache.open(programCache, device.quirks());
    }

    /** Opens a device with no bound on its memory. */
    public static DeviceContext open(ClDevice device, Path programCache) {
        return open(device, programCache, 0);
    }

    /**
     * Opens a device.
     *
     * @param programCache the directory of built programs; null for the user's cache directory
     * @param maxDeviceBytes the most bytes that the pool allocates; 0 for the device's memory
     * @return a context that the caller closes
     */
    public static DeviceContext open(ClDevice device, Path programCache, long maxDeviceBytes) {
        return new DeviceContext(device, programCache, maxDeviceBytes);
    }

    public ClDevice device() {
        return device;
    }

    public ClQueue queue() {
        return queue;
    }

    /** The pool of the buffers of calls and of tensors. */
    public BufferPool pool() {
        return pool;
    }

    /** Returns whether the device can use host memory in place, so that {@link #share} makes no copy. */
    public boolean sharesHostMemory() {
        return device.hostUnifiedMemory() && !device.quirks().has(Quirks.Quirk.NO_HOST_POINTER);
    }

    /**
     * Makes a buffer that is the host's own memory: direct, not empty, and unchanged while the device reads it. The
     * caller closes it.
     */
    public ClBuffer share(ByteBuffer memory) {
        return ClBuffer.sharing(this, memory);
    }

    /**
     * Returns a kernel of a file under {@code opencl/}, which is built at the first call with these macros, and closed
     * with this context.
     *
     * @throws ClException with the build log, if it does not build
     */
    public ClKernel kernel(String file, String name, Map<String, ?> defines) {
        return kernel(file, name, defines, "");
    }

    /** Returns a kernel of a file that includes printed functions of expressions. */
    public ClKernel kernel(String file, String name, Map<String, ?> defines, String expressions) {
        return build(file, name, options(device, defines), expressions);
    }

    /**
     * Returns such a kernel that, if the driver lets it be asked for, takes twice the registers, and half the work-items
     * run.
     */
    public ClKernel kernelWithMoreRegisters(String file, String name, Map<String, ?> defines, String expressions) {
        if (device.isOf(ClDevice.Vendor.INTEL)) {
            try {
                return build(file, name, options(device, defines) + MORE_REGISTERS, expressions);
            } catch (ClException e) {
                LOG.debug("{} takes no{}", device, MORE_REGISTERS, e);
            }
        }
        return kernel(file, name, defines, expressions);
    }

    private ClKernel build(String file, String name, String options, String expressions) {
        handle();
        String build = file + " " + options + (expressions.isEmpty() ? "" : "\n" + expressions);
        return kernels.computeIfAbsent(name + " " + build, key -> {
            ClProgram program = programs.computeIfAbsent(
                    build, programKey -> ClProgram.build(this, file, KernelSource.read(file, expressions), options));
            return ClKernel.create(this, program, name);
        });
    }

    /** Returns the device's capabilities, which are probed at the first call. */
    public Capabilities capabilities(Function<DeviceContext, Capabilities> probe) {
        handle();
        if (capabilities == null) {
            capabilities = probe.apply(this);
        }
        return capabilities;
    }

    /**
     * Returns the builds so far: for each its file under {@code opencl/}, a blank and its options, and after a line's end the
     * functions of expressions that it was built with.
     */
    public Set<String> builds() {
        return Set.copyOf(programs.keySet());
    }

    /**
     * Returns the kernels so far for which a GPU has too few registers: for each its name, a blank and its build, and the bytes
     * of memory of a work-item. On CPUs, whose stack is in the caches, there is nothing to be said against it.
     */
    public Map<String, Long> outOfRegisters() {
        Map<String, Long> found = new TreeMap<>();
        if (device.type() == ClDevice.Type.GPU) {
            kernels.forEach((build, kernel) -> found.put(build, kernel.privateBytes()));
            found.values().removeIf(bytes -> bytes == 0);
        }
        return found;
    }

    /** The number of kernel files that this JVM has compiled because they were not in the cache. */
    public static long compiledFromSource() {
        return ClProgram.compiledFromSource();
    }

    /** Returns the build options, sorted, so that equal options are one cache entry. */
    static String options(ClDevice device, Map<String, ?> defines) {
        StringBuilder options = new StringBuilder(BUILD_OPTIONS)
                .append(" -DMULTIPLY_ADD_MODE=")
                .append(device.quirks().multiplyAddMode());
        new TreeMap<String, Object>(defines)
                .forEach((macro, value) ->
                        options.append(" -D").append(macro).append('=').append(value));
        return options.toString();
    }

    cl_context handle() {
        return context.get();
    }

    ProgramCache programCache() {
        return programCache;
    }

    @Override
    public void close() {
        if (context.isReleased()) {
            return;
        }
        try {
            queue.finish();
        } finally {
            kernels.values().forEach(ClKernel::close);
            programs.values().forEach(ClProgram::close);
            pool.close();
            queue.close();
            context.release(CL::clReleaseContext);
        }
    }
}
