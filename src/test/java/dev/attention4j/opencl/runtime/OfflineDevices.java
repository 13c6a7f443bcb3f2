package dev.attention4j.opencl.runtime;

import java.util.List;
import java.util.Map;

/** Devices as their vendors' drivers describe them, for compilers that need no device. */
public final class OfflineDevices {
    private OfflineDevices() {}

    /** Returns a device of AMD, by the name of its instruction set. */
    public static ClDevice amd(String name) {
        return device(
                "AMD Accelerated Parallel Processing",
                "Advanced Micro Devices, Inc.",
                name,
                65_536,
                256,
                0,
                List.of("cl_khr_fp16"));
    }

    /** Returns a device of Intel. */
    public static ClDevice intel(String name) {
        return device(
                "Intel(R) OpenCL Graphics",
                "Intel(R) Corporation",
                name,
                65_536,
                name.equals("tgl") ? 512 : 1024,
                name.equals("pvc") ? 16 : 8,
                List.of("cl_khr_fp16", "cl_intel_required_subgroup_size"));
    }

    /** Returns a device of NVIDIA. */
    public static ClDevice nvidia(String name) {
        return device("NVIDIA CUDA", "NVIDIA Corporation", name, 49_152, 1024, 0, List.of("cl_nv_compiler_options"));
    }

    private static ClDevice device(
            String platform,
            String vendor,
            String name,
            int localBytes,
            int groupItems,
            int leastSubGroupItems,
            List<String> extensions) {
        long memory = 16L << 30;
        return new ClDevice(
                null,
                null,
                0,
                platform,
                "OpenCL 3.0",
                name,
                vendor,
                "1",
                "OpenCL 3.0",
                "OpenCL C 1.2",
                extensions,
                ClDevice.Type.GPU,
                64,
                2000,
                memory,
                memory,
                localBytes,
                memory / 4,
                groupItems,
                1,
                leastSubGroupItems,
                false,
                true,
                Quirks.of(vendor, platform, name));
    }

    /** Returns what is given to clBuildProgram. */
    public static String options(ClDevice device, Map<String, ?> defines, boolean moreRegisters) {
        return DeviceContext.options(device, defines)
                + (moreRegisters && device.isOf(ClDevice.Vendor.INTEL) ? DeviceContext.MORE_REGISTERS : "");
    }

    /** Returns a kernel file with its includes. */
    public static String source(String file) {
        return KernelSource.read(file);
    }
}
