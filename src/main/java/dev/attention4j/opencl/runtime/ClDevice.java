package dev.attention4j.opencl.runtime;

import dev.attention4j.opencl.machine.ContainerMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import org.jocl.CL;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/**
 * An OpenCL device, and what its driver reports about it.
 *
 * @param index its place among all devices of all platforms, from 0
 * @param platformName such as "Portable Computing Language"
 * @param platformVersion such as "OpenCL 3.0 PoCL 3.1"
 * @param version the OpenCL version, such as "OpenCL 3.0 CUDA"
 * @param languageVersion the version of OpenCL C, such as "OpenCL C 1.2"
 * @param computeUnits multiprocessors, or cores; at least 1
 * @param clockMegahertz 0 where the driver does not say
 * @param globalMemoryBytes the reported memory; of memory shared with the host, at most the container's limit
 * @param usableMemoryBytes the memory that buffers may take: less in a container, whose limit includes the Java heap
 * @param maxWorkGroupSize work-items; a kernel's own limit can be lower
 * @param nativeVectorWidth floats of a vector instruction: 1 on most GPUs, the width of the registers on CPUs
 * @param leastSubGroupItems work-items of the smallest sub-group that a kernel may ask Intel's driver for; 0 on other
 *     drivers
 * @param hostUnifiedMemory true on CPUs and integrated GPUs, where a buffer can be the host's own memory
 * @param available true if the driver says that the device can be used
 */
public record ClDevice(
        cl_platform_id platform,
        cl_device_id id,
        int index,
        String platformName,
        String platformVersion,
        String name,
        String vendor,
        String driverVersion,
        String version,
        String languageVersion,
        List<String> extensions,
        Type type,
        int computeUnits,
        int clockMegahertz,
        long globalMemoryBytes,
        long usableMemoryBytes,
        long localMemoryBytes,
        long largestAllocationBytes,
        int maxWorkGroupSize,
        int nativeVectorWidth,
        int leastSubGroupItems,
        boolean hostUnifiedMemory,
        boolean available,
        Quirks quirks) {
    /** Makers of GPUs whose compilers are known. */
    public enum Vendor {
        INTEL("intel"),
        NVIDIA("nvidia");

        private final String name;

        Vendor(String name) {
            this.name = name;
        }
    }

    private static final String SUB_GROUP_SIZES = "cl_intel_required_subgroup_size";
    private static final int CL_DEVICE_SUB_GROUP_SIZES_INTEL = 0x4108;

    /** The kind of device. */
    public enum Type {
        /** Graphics processor. */
        GPU,
        /** The host's processor. */
        CPU,
        /** Anything else. */
        ACCELERATOR
    }

    static ClDevice of(cl_platform_id platform, cl_device_id id, int index) {
        return of(platform, id, index, null, 0, ContainerMemory.limit());
    }

    @SuppressWarnings("deprecation") // CL_DEVICE_HOST_UNIFIED_MEMORY: OpenCL 1.2 has no other.
    private static ClDevice of(
            cl_platform_id platform,
            cl_device_id id,
            int index,
            Quirks.Quirk pretended,
            int pretendedVectorWidth,
            OptionalLong container) {
        Type type = pretendedVectorWidth > 0 ? Type.CPU : type(number(id, CL.CL_DEVICE_TYPE, 8));
        boolean unified = number(id, CL.CL_DEVICE_HOST_UNIFIED_MEMORY, 4) != 0;
        long reported = number(id, CL.CL_DEVICE_GLOBAL_MEM_SIZE, 8);
        boolean contained = (type == Type.CPU || unified) && container.isPresent();
        long usable = contained
                ? Math.min(
                        reported,
                        ContainerMemory.forBuffers(
                                container.getAsLong(), Runtime.getRuntime().maxMemory()))
                : reported;
        String platformName = platformName(platform);
        String name = string(id, CL.CL_DEVICE_NAME);
        String vendor = string(id, CL.CL_DEVICE_VENDOR);
        Quirks quirks = Quirks.of(vendor, platformName, name);
        List<String> extensions =
                List.of(string(id, CL.CL_DEVICE_EXTENSIONS).trim().split("\\s+"));
        return new ClDevice(
                platform,
                id,
                index,
                platformName,
                platformVersion(platform),
                name,
                vendor,
                string(id, CL.CL_DRIVER_VERSION),
                string(id, CL.CL_DEVICE_VERSION),
                string(id, CL.CL_DEVICE_OPENCL_C_VERSION),
                extensions,
                type,
                (int) number(id, CL.CL_DEVICE_MAX_COMPUTE_UNITS, 4),
                (int) number(id, CL.CL_DEVICE_MAX_CLOCK_FREQUENCY, 4),
                contained ? Math.min(reported, container.getAsLong()) : reported,
                usable,
                number(id, CL.CL_DEVICE_LOCAL_MEM_SIZE, 8),
                Math.min(number(id, CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8), usable),
                (int) number(id, CL.CL_DEVICE_MAX_WORK_GROUP_SIZE, 8),
                pretendedVectorWidth > 0
                        ? pretendedVectorWidth
                        : (int) number(id, CL.CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 4),
                extensions.contains(SUB_GROUP_SIZES) ? leastSubGroupItems(id) : 0,
                unified,
                number(id, CL.CL_DEVICE_AVAILABLE, 4) != 0,
                pretended == null ? quirks : quirks.with(pretended));
    }

    private static Type type(long bits) {
        if ((bits & CL.CL_DEVICE_TYPE_GPU) != 0) {
            return Type.GPU;
        }
        return (bits & CL.CL_DEVICE_TYPE_CPU) != 0 ? Type.CPU : Type.ACCELERATOR;
    }

    /** Returns this device as if it had a quirk, to test what the quirk changes. */
    public ClDevice pretending(Quirks.Quirk quirk) {
        return of(platform, id, index, quirk, 0, ContainerMemory.limit());
    }

    /** Returns this device as if it were a CPU whose vectors have this many floats, to test other devices' kernels. */
    public ClDevice pretending(int vectorWidth) {
        return of(platform, id, index, null, vectorWidth, ContainerMemory.limit());
    }

    /** Returns this device as if this process were in a container with a memory limit. */
    ClDevice inContainerOf(long bytes) {
        return of(platform, id, index, null, 0, OptionalLong.of(bytes));
    }

    /** Returns whether it is a GPU of this maker. */
    public boolean isOf(Vendor maker) {
        return type == Type.GPU && vendor.toLowerCase(Locale.ROOT).contains(maker.name);
    }

    /** Returns whether kernels for CPUs suit it: a work-group is best one work-item that uses vector instructions. */
    public boolean isCpuClass() {
        return type == Type.CPU;
    }

    /** Returns whether it was made for tests, not for speed. */
    public boolean isEmulator() {
        return quirks.has(Quirks.Quirk.EMULATOR);
    }

    /** All that a built program depends on in addition to its source and options. */
    String fingerprint() {
        return String.join("\n", platformName, platformVersion, vendor, name, driverVersion, version);
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s (%s, driver %s)", name, platformName, driverVersion);
    }

    private static int leastSubGroupItems(cl_device_id id) {
        try {
            ByteBuffer sizes = ByteBuffer.wrap(Calls.bytes(
                            "clGetDeviceInfo",
                            (bytes, answer, size) ->
                                    CL.clGetDeviceInfo(id, CL_DEVICE_SUB_GROUP_SIZES_INTEL, bytes, answer, size)))
                    .order(ByteOrder.nativeOrder());
            int least = 0;
            while (sizes.remaining() >= Long.BYTES) {
                int items = (int) sizes.getLong();
                least = least == 0 ? items : Math.min(least, items);
            }
            return least;
        } catch (ClException e) {
            return 0;
        }
    }

    private static String string(cl_device_id id, int parameter) {
        return text(Calls.bytes(
                "clGetDeviceInfo", (bytes, answer, size) -> CL.clGetDeviceInfo(id, parameter, bytes, answer, size)));
    }

    static String platformName(cl_platform_id platform) {
        return platformString(platform, CL.CL_PLATFORM_NAME);
    }

    static String platformVersion(cl_platform_id platform) {
        return platformString(platform, CL.CL_PLATFORM_VERSION);
    }

    private static String platformString(cl_platform_id platform, int parameter) {
        return text(Calls.bytes(
                "clGetPlatformInfo",
                (bytes, answer, size) -> CL.clGetPlatformInfo(platform, parameter, bytes, answer, size)));
    }

    private static long number(cl_device_id id, int parameter, int bytes) {
        return Calls.number(
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
