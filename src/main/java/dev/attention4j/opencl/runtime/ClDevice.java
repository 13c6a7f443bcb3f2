package dev.attention4j.opencl.runtime;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import org.jocl.CL;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/** An OpenCL device and what its driver reports of it. */
public final class ClDevice {
    /** What a device is. */
    public enum Type {
        /** Graphics processor. */
        GPU,
        /** The host's processor. */
        CPU,
        /** Anything else. */
        ACCELERATOR
    }

    private final cl_platform_id platform;
    private final cl_device_id id;
    private final int index;
    private final String platformName;
    private final String platformVersion;
    private final String name;
    private final String vendor;
    private final String driverVersion;
    private final String version;
    private final String languageVersion;
    private final List<String> extensions;
    private final Type type;
    private final int computeUnits;
    private final int clockMegahertz;
    private final long globalMemoryBytes;
    private final long usableMemoryBytes;
    private final long localMemoryBytes;
    private final long largestAllocationBytes;
    private final int maxWorkGroupSize;
    private final int nativeVectorWidth;
    private final boolean hostUnifiedMemory;
    private final boolean available;
    private final Quirks quirks;

    ClDevice(cl_platform_id platform, cl_device_id id, int index) {
        this(platform, id, index, null, 0, ContainerMemory.limit());
    }

    @SuppressWarnings("deprecation") // CL_DEVICE_HOST_UNIFIED_MEMORY: what came after it is not in OpenCL 1.2.
    private ClDevice(
            cl_platform_id platform,
            cl_device_id id,
            int index,
            Quirks.Quirk pretended,
            int pretendedVectorWidth,
            OptionalLong container) {
        this.platform = platform;
        this.id = id;
        this.index = index;
        platformName = platformName(platform);
        platformVersion = platformVersion(platform);
        name = string(CL.CL_DEVICE_NAME);
        vendor = string(CL.CL_DEVICE_VENDOR);
        driverVersion = string(CL.CL_DRIVER_VERSION);
        version = string(CL.CL_DEVICE_VERSION);
        languageVersion = string(CL.CL_DEVICE_OPENCL_C_VERSION);
        extensions = List.of(string(CL.CL_DEVICE_EXTENSIONS).trim().split("\\s+"));
        type = pretendedVectorWidth > 0 ? Type.CPU : type(number(CL.CL_DEVICE_TYPE, 8));
        computeUnits = (int) number(CL.CL_DEVICE_MAX_COMPUTE_UNITS, 4);
        clockMegahertz = (int) number(CL.CL_DEVICE_MAX_CLOCK_FREQUENCY, 4);
        localMemoryBytes = number(CL.CL_DEVICE_LOCAL_MEM_SIZE, 8);
        maxWorkGroupSize = (int) number(CL.CL_DEVICE_MAX_WORK_GROUP_SIZE, 8);
        nativeVectorWidth = pretendedVectorWidth > 0
                ? pretendedVectorWidth
                : (int) number(CL.CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 4);
        hostUnifiedMemory = number(CL.CL_DEVICE_HOST_UNIFIED_MEMORY, 4) != 0;
        long reported = number(CL.CL_DEVICE_GLOBAL_MEM_SIZE, 8);
        if ((type == Type.CPU || hostUnifiedMemory) && container.isPresent()) {
            long limit = container.getAsLong();
            globalMemoryBytes = Math.min(reported, limit);
            usableMemoryBytes = Math.min(
                    reported,
                    ContainerMemory.forBuffers(limit, Runtime.getRuntime().maxMemory()));
        } else {
            globalMemoryBytes = reported;
            usableMemoryBytes = reported;
        }
        largestAllocationBytes = Math.min(number(CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8), usableMemoryBytes);
        available = number(CL.CL_DEVICE_AVAILABLE, 4) != 0;
        Quirks own = Quirks.of(this);
        quirks = pretended == null ? own : own.with(pretended);
    }

    private static Type type(long bits) {
        if ((bits & CL.CL_DEVICE_TYPE_GPU) != 0) {
            return Type.GPU;
        }
        return (bits & CL.CL_DEVICE_TYPE_CPU) != 0 ? Type.CPU : Type.ACCELERATOR;
    }

    /**
     * The same device as if it had a quirk: what a quirk changes can then be tested where no device has it.
     *
     * @param quirk to add
     * @return to be used in place of this
     */
    public ClDevice pretending(Quirks.Quirk quirk) {
        return new ClDevice(platform, id, index, quirk, 0, ContainerMemory.limit());
    }

    /** The same device as if this process were in a container with a memory limit. */
    ClDevice inContainerOf(long bytes) {
        return new ClDevice(platform, id, index, null, 0, OptionalLong.of(bytes));
    }

    /**
     * Returns the same device as if it were a CPU with vectors of another width: kernels that other devices get can
     * then be tested here.
     *
     * @param nativeVectorWidth floats of a vector
     * @return to be used in place of this
     */
    public ClDevice pretending(int nativeVectorWidth) {
        return new ClDevice(platform, id, index, null, nativeVectorWidth, ContainerMemory.limit());
    }

    cl_device_id id() {
        return id;
    }

    cl_platform_id platform() {
        return platform;
    }

    /**
     * Its place among all devices of all platforms.
     *
     * @return from 0
     */
    public int index() {
        return index;
    }

    /**
     * The platform's name.
     *
     * @return for example "Portable Computing Language"
     */
    public String platformName() {
        return platformName;
    }

    /**
     * The platform's version.
     *
     * @return for example "OpenCL 3.0 PoCL 3.1"
     */
    public String platformVersion() {
        return platformVersion;
    }

    /**
     * The device's name.
     *
     * @return as the driver gives it
     */
    public String name() {
        return name;
    }

    /**
     * The device's vendor.
     *
     * @return as the driver gives it
     */
    public String vendor() {
        return vendor;
    }

    /**
     * The driver's version.
     *
     * @return as the driver gives it
     */
    public String driverVersion() {
        return driverVersion;
    }

    /**
     * The OpenCL version that the device supports.
     *
     * @return for example "OpenCL 3.0 CUDA"
     */
    public String version() {
        return version;
    }

    /**
     * The OpenCL C version that its compiler supports.
     *
     * @return for example "OpenCL C 1.2"
     */
    public String languageVersion() {
        return languageVersion;
    }

    /**
     * The extensions that the driver reports.
     *
     * @return their names
     */
    public List<String> extensions() {
        return extensions;
    }

    /**
     * What it is.
     *
     * @return GPU, CPU or other
     */
    public Type type() {
        return type;
    }

    /**
     * Its compute units: multiprocessors, or cores.
     *
     * @return at least 1
     */
    public int computeUnits() {
        return computeUnits;
    }

    /**
     * Its clock.
     *
     * @return MHz, 0 where the driver does not say
     */
    public int clockMegahertz() {
        return clockMegahertz;
    }

    /**
     * Its memory: what the driver reports or, of memory that is the host's, what this process's container allows.
     *
     * @return bytes
     */
    public long globalMemoryBytes() {
        return globalMemoryBytes;
    }

    /**
     * How much of its memory buffers may take: all but in a container, where the Java heap is counted as well.
     *
     * @return bytes
     */
    public long usableMemoryBytes() {
        return usableMemoryBytes;
    }

    /**
     * The local memory of a work-group, as reported.
     *
     * @return bytes
     */
    public long localMemoryBytes() {
        return localMemoryBytes;
    }

    /**
     * The largest buffer.
     *
     * @return bytes
     */
    public long largestAllocationBytes() {
        return largestAllocationBytes;
    }

    /**
     * The largest work-group; a kernel's own limit can be lower.
     *
     * @return work-items
     */
    public int maxWorkGroupSize() {
        return maxWorkGroupSize;
    }

    /**
     * How many floats one of its vector instructions works on.
     *
     * @return 1 on most GPUs, the width of the registers on CPUs
     */
    public int nativeVectorWidth() {
        return nativeVectorWidth;
    }

    /**
     * Whether device and host share their memory, so that a buffer can be the host's own.
     *
     * @return true on CPUs and integrated GPUs
     */
    public boolean hostUnifiedMemory() {
        return hostUnifiedMemory;
    }

    /**
     * Whether the driver says that the device can be used.
     *
     * @return usually true
     */
    public boolean available() {
        return available;
    }

    /**
     * What has to be done differently here.
     *
     * @return the quirks that apply
     */
    public Quirks quirks() {
        return quirks;
    }

    /** What a built program depends on beside its source and options. */
    String fingerprint() {
        return String.join("\n", platformName, platformVersion, vendor, name, driverVersion, version);
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s (%s, driver %s)", name, platformName, driverVersion);
    }

    private String string(int parameter) {
        return text(Info.bytes(
                "clGetDeviceInfo", (bytes, answer, size) -> CL.clGetDeviceInfo(id, parameter, bytes, answer, size)));
    }

    static String platformName(cl_platform_id platform) {
        return platformString(platform, CL.CL_PLATFORM_NAME);
    }

    static String platformVersion(cl_platform_id platform) {
        return platformString(platform, CL.CL_PLATFORM_VERSION);
    }

    private static String platformString(cl_platform_id platform, int parameter) {
        return text(Info.bytes(
                "clGetPlatformInfo",
                (bytes, answer, size) -> CL.clGetPlatformInfo(platform, parameter, bytes, answer, size)));
    }

    private long number(int parameter, int bytes) {
        return Info.number(
                "clGetDeviceInfo",
                bytes,
                (most, answer, size) -> CL.clGetDeviceInfo(id, parameter, most, answer, size));
    }

    /** Without the terminating zero, and trimmed: some drivers pad names with blanks. */
    private static String text(byte[] bytes) {
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8).trim();
    }
}
