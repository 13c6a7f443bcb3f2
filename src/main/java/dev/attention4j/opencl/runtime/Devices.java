package dev.attention4j.opencl.runtime;

import dev.attention4j.opencl.machine.NativeLibrary;
import dev.attention4j.opencl.machine.Pocl;
import dev.attention4j.opencl.machine.RegisteredDrivers;
import dev.attention4j.opencl.machine.SignalHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jocl.CL;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/** Searches for the OpenCL devices of this machine. */
public final class Devices {
    /**
     * CL_DEVICE_TYPE_ALL as the standard has it. JOCL's constant is sign-extended to 64 bits, which Rusticl refuses
     * with CL_INVALID_DEVICE_TYPE.
     */
    private static final long ALL_TYPES = 0xFFFFFFFFL;

    /** The stage that a search reached. */
    public enum Status {
        /** At least one device. */
        FOUND,
        /** JOCL's native library does not load, see {@link NativeLibrary}. */
        NO_LIBRARY,
        /** There is a loader, but no vendor's driver is registered with it. */
        NO_DRIVER,
        /** Drivers are registered, but none loads with a platform. */
        NO_PLATFORM,
        /** There is a driver, but it has no device. */
        NO_DEVICE,
        /** There is no device because of PoCL's cache. */
        NO_POCL_CACHE,
        /** There is no device because PoCL finds no linker. */
        NO_POCL_LINKER
    }

    /**
     * The result of a search.
     *
     * @param devices in the order of platforms; empty unless found
     */
    public record Search(Status status, List<ClDevice> devices, String found) {
        /** Returns why Rusticl shows no device though it is installed; empty if it is not, or has one. */
        public Optional<String> whyNoRusticl() {
            return RegisteredDrivers.whyNoRusticl(
                    devices.stream().map(ClDevice::platformName).toList());
        }

        private static Search without(Status status, String found) {
            return new Search(status, List.of(), found);
        }
    }

    private Devices() {}

    /** Searches for devices. Throws nothing: the status tells what is missing. */
    public static Search find() {
        Search search = SignalHandlers.keepWhileLoading(() -> Pocl.pinned(Devices::search));
        if (search.status() == Status.FOUND) {
            SignalHandlers.warnOnce();
        }
        return search;
    }

    private static Search search() {
        NativeLibrary.Outcome library = NativeLibrary.load();
        if (library.status() != NativeLibrary.Status.READY) {
            return Search.without(Status.NO_LIBRARY, library.found());
        }
        if (Pocl.endsTheProcess(System.getenv())) {
            return Search.without(Status.NO_POCL_CACHE, "PoCL ends the process while POCL_CACHE_DIR is empty");
        }
        int[] count = new int[1];
        int code = Calls.codeOf("clGetPlatformIDs", () -> CL.clGetPlatformIDs(0, null, count));
        SignalHandlers.settleCompilers();
        if (code != CL.CL_SUCCESS || count[0] == 0) {
            return withoutPlatform(
                    "clGetPlatformIDs: " + (code == CL.CL_SUCCESS ? "0 platforms" : ClException.name(code)));
        }
        cl_platform_id[] platforms = new cl_platform_id[count[0]];
        code = Calls.codeOf("clGetPlatformIDs", () -> CL.clGetPlatformIDs(platforms.length, platforms, null));
        if (code != CL.CL_SUCCESS) {
            return withoutPlatform("clGetPlatformIDs: " + ClException.name(code));
        }
        List<ClDevice> devices = new ArrayList<>();
        // One driver's fault must not hide the devices of the others.
        List<String> leftOut = new ArrayList<>();
        Status without = Status.NO_DEVICE;
        for (cl_platform_id platform : platforms) {
            try {
                boolean pocl = Pocl.isPlatform(ClDevice.platformName(platform));
                Optional<String> cache = pocl ? Pocl.whyNoCache(System.getenv()) : Optional.empty();
                Optional<String> linker =
                        pocl ? Pocl.whyNoLinker(System.getenv(), ClDevice.platformVersion(platform)) : Optional.empty();
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
            return Search.without(without, reasons);
        }
        if (devices.isEmpty()) {
            return Search.without(
                    Status.NO_DEVICE,
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
            return Search.without(
                    Status.NO_DRIVER,
                    "an OpenCL loader, but no vendor's driver is registered with it (" + answer + ")");
        }
        return Search.without(
                Status.NO_PLATFORM,
                "an OpenCL loader, but none of the drivers registered with it loads and has a platform (" + answer
                        + "): " + drivers.stream().map(Object::toString).collect(Collectors.joining(", ")));
    }

    private static void addDevices(cl_platform_id platform, List<ClDevice> devices, List<String> leftOut) {
        int[] count = new int[1];
        int code = Calls.codeOf("clGetDeviceIDs", () -> CL.clGetDeviceIDs(platform, ALL_TYPES, 0, null, count));
        // A platform without a device is normal: Mesa's Clover has none where Rusticl has them.
        if (code != CL.CL_SUCCESS || count[0] == 0) {
            return;
        }
        cl_device_id[] ids = new cl_device_id[count[0]];
        Calls.run("clGetDeviceIDs", () -> CL.clGetDeviceIDs(platform, ALL_TYPES, ids.length, ids, null));
        for (cl_device_id id : ids) {
            try {
                devices.add(ClDevice.of(platform, id, devices.size()));
            } catch (ClException e) {
                leftOut.add("a device of " + ClDevice.platformName(platform) + " that fails: " + e.getMessage());
            }
        }
    }
}
