package dev.attention4j.opencl.runtime;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jocl.CL;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/** Finds the OpenCL devices of this machine. */
public final class Devices {
    /**
     * CL_DEVICE_TYPE_ALL as the standard has it. JOCL's constant is sign-extended to 64 bits, which Rusticl refuses
     * with CL_INVALID_DEVICE_TYPE.
     */
    private static final long ALL_TYPES = 0xFFFFFFFFL;

    /** What there is. */
    public enum Status {
        /** At least one device. */
        FOUND,
        /** See {@link NativeLibrary}. */
        NO_LIBRARY,
        /** There is a loader, but no vendor's driver is registered with it. */
        NO_DRIVER,
        /** Drivers are registered, but none loads and has a platform. */
        NO_PLATFORM,
        /** There is a driver, but it has no device. */
        NO_DEVICE,
        /** As before, and the reason is PoCL's cache. */
        NO_POCL_CACHE,
        /** As before, and the reason is that PoCL finds no linker. */
        NO_POCL_LINKER
    }

    /**
     * What was found.
     *
     * @param status how far the search got
     * @param devices in the order of platforms; empty unless found
     * @param found what was found, one sentence
     */
    public record Search(Status status, List<ClDevice> devices, String found) {}

    private Devices() {}

    /**
     * Looks for devices.
     *
     * @return never throws: what is missing is in the status
     */
    public static Search find() {
        Search search = SignalHandlers.keepWhileLoading(() -> PoclThreads.pinned(Devices::search));
        if (search.status() == Status.FOUND) {
            SignalHandlers.warnOnce();
        }
        return search;
    }

    private static Search search() {
        NativeLibrary.Outcome library = NativeLibrary.load();
        if (library.status() != NativeLibrary.Status.READY) {
            return new Search(Status.NO_LIBRARY, List.of(), library.found());
        }
        if (PoclCache.endsTheProcess(System.getenv())) {
            return new Search(Status.NO_POCL_CACHE, List.of(), "PoCL ends the process while POCL_CACHE_DIR is empty");
        }
        int[] count = new int[1];
        int code = ClException.codeOf("clGetPlatformIDs", () -> CL.clGetPlatformIDs(0, null, count));
        SignalHandlers.settleCompilers();
        if (code != CL.CL_SUCCESS || count[0] == 0) {
            return withoutPlatform(
                    "clGetPlatformIDs: " + (code == CL.CL_SUCCESS ? "0 platforms" : ClException.name(code)));
        }
        cl_platform_id[] platforms = new cl_platform_id[count[0]];
        code = ClException.codeOf("clGetPlatformIDs", () -> CL.clGetPlatformIDs(platforms.length, platforms, null));
        if (code != CL.CL_SUCCESS) {
            return withoutPlatform("clGetPlatformIDs: " + ClException.name(code));
        }
        List<ClDevice> devices = new ArrayList<>();
        // One driver's fault must not take away what the others have.
        List<String> leftOut = new ArrayList<>();
        Status without = Status.NO_DEVICE;
        for (cl_platform_id platform : platforms) {
            try {
                boolean pocl = PoclCache.isUsedBy(ClDevice.platformName(platform));
                Optional<String> cache = pocl ? PoclCache.complaint() : Optional.empty();
                Optional<String> linker = pocl
                        ? PoclLinker.complaint(System.getenv(), ClDevice.platformVersion(platform))
                        : Optional.empty();
                if (cache.isPresent() || linker.isPresent()) {
                    without = cache.isPresent() ? Status.NO_POCL_CACHE : Status.NO_POCL_LINKER;
                    leftOut.add(cache.or(() -> linker).get());
                } else {
                    addDevices(platform, devices, leftOut);
                }
            } catch (ClException e) {
                leftOut.add("a platform that fails: " + e.getMessage());
            }
        }
        String reasons = String.join("; ", leftOut);
        if (devices.isEmpty() && without != Status.NO_DEVICE) {
            return new Search(without, List.of(), reasons);
        }
        if (devices.isEmpty()) {
            return new Search(
                    Status.NO_DEVICE,
                    List.of(),
                    platforms.length + " OpenCL platform(s), but none has a device"
                            + (reasons.isEmpty() ? "" : " that works: " + reasons));
        }
        return new Search(
                Status.FOUND,
                devices,
                devices.size() + " OpenCL device(s)" + (reasons.isEmpty() ? "" : ", and left out: " + reasons));
    }

    private static Search withoutPlatform(String answer) {
        List<RegisteredDrivers.Driver> drivers = RegisteredDrivers.find();
        if (drivers.isEmpty()) {
            return new Search(
                    Status.NO_DRIVER,
                    List.of(),
                    "an OpenCL loader, but no vendor's driver is registered with it (" + answer + ")");
        }
        return new Search(
                Status.NO_PLATFORM,
                List.of(),
                "an OpenCL loader, but none of the drivers registered with it loads and has a platform (" + answer
                        + "): " + drivers.stream().map(Object::toString).collect(Collectors.joining(", ")));
    }

    private static void addDevices(cl_platform_id platform, List<ClDevice> devices, List<String> leftOut) {
        int[] count = new int[1];
        int code = ClException.codeOf("clGetDeviceIDs", () -> CL.clGetDeviceIDs(platform, ALL_TYPES, 0, null, count));
        // A platform without a device is normal: Mesa's Clover beside Rusticl is one.
        if (code != CL.CL_SUCCESS || count[0] == 0) {
            return;
        }
        cl_device_id[] ids = new cl_device_id[count[0]];
        ClException.run("clGetDeviceIDs", () -> CL.clGetDeviceIDs(platform, ALL_TYPES, ids.length, ids, null));
        for (cl_device_id id : ids) {
            try {
                devices.add(new ClDevice(platform, id, devices.size()));
            } catch (ClException e) {
                leftOut.add("a device of " + ClDevice.platformName(platform) + " that fails: " + e.getMessage());
            }
        }
    }
}
