package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jocl.CL;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;

/**
 * One device, opened: its context, its queue, its pool of buffers and the kernels built for it so far. One context per
 * device, as NVIDIA's driver wants it.
 *
 * <p>Closing it waits for the queue and frees everything. Kernels and pool are guarded by the engine's lock.
 */
public final class DeviceContext implements AutoCloseable {
    /**
     * Subnormal numbers may be 0: they made attention whose scores lie far apart, whose softmax is full of them, 3 to 13
     * times as slow in staged and tiles (PoCL, AVX-512). And no warnings: PoCL 3.1 counts them on the user's screen, which
     * reads like a failure.
     */
    private static final String BUILD_OPTIONS = "-cl-std=CL1.2 -cl-denorms-are-zero -w";

    private final ClDevice device;
    private final cl_context context;
    private final Handles receipt = Handles.created(Handles.Kind.CONTEXT);
    private final ClQueue queue;
    private final BufferPool pool;
    private final ProgramCache programCache;
    private final Map<String, ClProgram> programs = new HashMap<>();
    private final Map<String, ClKernel> kernels = new HashMap<>();

    private DeviceContext(ClDevice device, Path programCache, long maxDeviceBytes) {
        this.device = device;
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, device.platform());
        try {
            context = ClException.create(
                    "clCreateContext on " + device,
                    code -> SignalHandlers.keep(() ->
                            CL.clCreateContext(properties, 1, new cl_device_id[] {device.id()}, null, null, code)));
        } catch (RuntimeException e) {
            receipt.release();
            throw e;
        }
        try {
            queue = ClQueue.create(this);
        } catch (RuntimeException e) {
            releaseContext();
            throw e;
        }
        pool = new BufferPool(
                this,
                maxDeviceBytes > 0 ? Math.min(maxDeviceBytes, device.usableMemoryBytes()) : device.usableMemoryBytes());
        this.programCache = ProgramCache.open(programCache);
    }

    /**
     * Opens a device.
     *
     * @param device of {@link Devices#find()}
     * @param programCache where built programs are kept; null for the user's cache directory
     * @return to be closed by the caller
     */
    public static DeviceContext open(ClDevice device, Path programCache) {
        return open(device, programCache, 0);
    }

    /**
     * Opens a device, of whose memory only a part may be taken.
     *
     * @param device of {@link Devices#find()}
     * @param programCache where built programs are kept; null for the user's cache directory
     * @param maxDeviceBytes the most that the pool allocates; 0 for what the device has
     * @return to be closed by the caller
     */
    public static DeviceContext open(ClDevice device, Path programCache, long maxDeviceBytes) {
        return new DeviceContext(device, programCache, maxDeviceBytes);
    }

    /**
     * The device.
     *
     * @return what was opened
     */
    public ClDevice device() {
        return device;
    }

    /**
     * The queue.
     *
     * @return in order
     */
    public ClQueue queue() {
        return queue;
    }

    /**
     * The pool of buffers.
     *
     * @return for buffers that live for a call, or as long as a tensor
     */
    public BufferPool pool() {
        return pool;
    }

    /**
     * Whether host memory can be used by the device as it lies.
     *
     * @return true if {@link #share} costs no copy
     */
    public boolean sharesHostMemory() {
        return device.hostUnifiedMemory() && !device.quirks().has(Quirks.Quirk.NO_HOST_POINTER);
    }

    /**
     * A buffer that is the host's own memory.
     *
     * @param memory direct, not empty; must stay as it is while the device reads it
     * @return to be closed by the caller
     */
    public ClBuffer share(ByteBuffer memory) {
        return ClBuffer.sharing(this, memory);
    }

    /**
     * A kernel, built the first time that it is asked for with these options.
     *
     * @param file under {@code opencl/}, such as {@code staged/scores.cl}
     * @param name the kernel function
     * @param defines macro → value
     * @return owned by this context
     * @throws ClException with the build log, if it does not build
     * @throws IllegalStateException if this context is closed
     */
    public ClKernel kernel(String file, String name, Map<String, ?> defines) {
        handle();
        String options = options(defines);
        return kernels.computeIfAbsent(file + " " + name + " " + options, key -> {
            ClProgram program =
                    programs.computeIfAbsent(file + " " + options, programKey -> ClProgram.build(this, file, options));
            return ClKernel.create(this, program, name);
        });
    }

    /**
     * What has been built here so far.
     *
     * @return file under {@code opencl/} and options of each, with a blank between
     */
    public Set<String> builds() {
        return Set.copyOf(programs.keySet());
    }

    /**
     * How many kernel files this JVM has compiled from source because no kept build was found.
     *
     * @return since the start
     */
    public static long compiledFromSource() {
        return ClProgram.compiledFromSource();
    }

    /** Sorted, so that the same options are the same text and so the same cache entry. */
    private String options(Map<String, ?> defines) {
        StringBuilder options = new StringBuilder(BUILD_OPTIONS)
                .append(" -DMULTIPLY_ADD_MODE=")
                .append(device.quirks().multiplyAddMode());
        new TreeMap<String, Object>(defines)
                .forEach((macro, value) ->
                        options.append(" -D").append(macro).append('=').append(value));
        return options.toString();
    }

    cl_context handle() {
        if (receipt.isReleased()) {
            throw new IllegalStateException("the device " + device + " is closed");
        }
        return context;
    }

    ProgramCache programCache() {
        return programCache;
    }

    private void releaseContext() {
        if (receipt.release()) {
            CL.clReleaseContext(context);
        }
    }

    @Override
    public void close() {
        if (receipt.isReleased()) {
            return;
        }
        try {
            queue.finish();
        } finally {
            kernels.values().forEach(ClKernel::close);
            programs.values().forEach(ClProgram::close);
            pool.close();
            queue.close();
            releaseContext();
        }
    }
}
