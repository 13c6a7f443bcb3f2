package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.probe.DeviceProbe;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.NativeLibrary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Finds out why OpenCL does not work on this machine: examines, from the ground up, what must be there, and stops where
 * nothing above can work.
 */
public final class Doctor {
    private static final String INSTALL_LOADER = "install an OpenCL loader: on Debian or Ubuntu"
            + " `apt-get install ocl-icd-libopencl1`, on Windows and macOS it comes with the graphics driver";
    private static final String INSTALL_DRIVER = "install a driver: the graphics vendor's with its OpenCL part"
            + " (NVIDIA: libnvidia-opencl1 or the driver's .run file; AMD: rocm-opencl-icd; Intel: intel-opencl-icd), or"
            + " for the CPU `apt-get install pocl-opencl-icd`; each registers itself by a file in /etc/OpenCL/vendors"
            + " (or where OCL_ICD_VENDORS points)";
    private static final String ENABLE_DEVICE = "see that the device is there and this user may use it (groups video"
            + " and render own /dev/dri; nvidia-smi, clinfo), or for the CPU `apt-get install pocl-opencl-icd`";

    private Doctor() {}

    /**
     * One thing that was examined.
     *
     * @param what must be so
     * @param ok whether it is
     * @param found what was found
     * @param fix what to do; empty if all is well
     */
    public record Check(String what, boolean ok, String found, String fix) {}

    /**
     * Examines this machine.
     *
     * @return the checks in the order made; the last is the first that failed, unless devices were found
     */
    public static List<Check> examine() {
        List<Check> checks = new ArrayList<>();
        NativeLibrary.Outcome library = NativeLibrary.load();
        NativeLibrary.Status status = library.status();
        String platform = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        if (!add(
                checks,
                "JOCL has a native library for this platform",
                status != NativeLibrary.Status.NO_NATIVE,
                status == NativeLibrary.Status.NO_NATIVE ? library.found() : platform,
                fix(status))) {
            return checks;
        }
        if (!add(
                checks,
                "JOCL's native library can be unpacked and loaded",
                status != NativeLibrary.Status.NOT_UNPACKED,
                status == NativeLibrary.Status.READY
                        ? library.found()
                        : status == NativeLibrary.Status.NO_LOADER ? "loaded" : library.found(),
                fix(status))) {
            return checks;
        }
        if (!add(
                checks,
                "there is an OpenCL loader",
                status == NativeLibrary.Status.READY,
                status == NativeLibrary.Status.READY ? "libOpenCL" : library.found(),
                fix(status))) {
            return checks;
        }
        Devices.Search search = Devices.find();
        if (!add(
                checks,
                "a vendor's driver is registered",
                search.status() != Devices.Status.NO_PLATFORM,
                search.status() == Devices.Status.NO_PLATFORM ? search.found() : "at least one platform",
                fix(search))) {
            return checks;
        }
        if (!add(
                checks,
                "a driver has a device",
                search.status() == Devices.Status.FOUND,
                search.found(),
                fix(search))) {
            return checks;
        }
        search.devices().forEach(device -> checks.add(examine(device)));
        return checks;
    }

    private static Check examine(ClDevice device) {
        String what = OpenClProvider.id(device) + " " + device.name() + " computes right";
        try (DeviceContext context = DeviceContext.open(device, null)) {
            DeviceProbe.checkArithmetic(context);
        } catch (DeviceException e) {
            return new Check(
                    what,
                    false,
                    firstLine(e),
                    "update the driver, " + device.platformName() + " " + device.driverVersion()
                            + "; until then use another device (--device)");
        }
        // Every key alike: each weight is 1/3, whatever the query, and the output is the mean of the values.
        try (AttentionEngine engine = new OpenClEngine(OpenClProvider.info(device), device, EngineOptions.DEFAULT)) {
            Tensor query = Tensor.of(new float[] {1, -2, 3, 0.5f}, 1, 1, 2, 2);
            Tensor key = Tensor.of(new float[] {1, 1, 1, 1, 1, 1}, 1, 1, 3, 2);
            Tensor value = Tensor.of(new float[] {1, 2, 4, 8, 7, 2}, 1, 1, 3, 2);
            float[] output = engine.attend(query, key, value).output().toFloatArray();
            float[] expected = {4, 4, 4, 4};
            for (int n = 0; n < expected.length; n++) {
                // Written so that NaN fails.
                if (!(Math.abs(output[n] - expected[n]) <= 1e-5)) {
                    return new Check(
                            what,
                            false,
                            "attention gave " + Arrays.toString(output) + ", must be " + Arrays.toString(expected),
                            "run the command conformance with --device " + device.index()
                                    + " and report what it prints, with this driver's version");
                }
            }
        } catch (DeviceException e) {
            return new Check(
                    what,
                    false,
                    firstLine(e),
                    "update the driver, " + device.platformName() + " " + device.driverVersion()
                            + "; until then use another device (--device)");
        }
        return new Check(
                what,
                true,
                String.format(
                        Locale.ROOT,
                        "%s, driver %s: a kernel was built and attention is right",
                        device.platformName(),
                        device.driverVersion()),
                "");
    }

    /** The fix for what a search for devices did not find. */
    static String fix(Devices.Search search) {
        return switch (search.status()) {
            case NO_LIBRARY -> fix(NativeLibrary.load().status());
            case NO_PLATFORM -> INSTALL_DRIVER;
            case NO_DEVICE -> ENABLE_DEVICE;
            case FOUND -> "";
        };
    }

    private static String fix(NativeLibrary.Status status) {
        return switch (status) {
            case NO_NATIVE ->
                "use Windows, Linux or macOS on x86-64, or Linux or macOS on ARM64; the CPU engine works"
                        + " everywhere";
            case NOT_UNPACKED ->
                "name a directory that this user can write, on a file system mounted without noexec:"
                        + " java -Dattention4j.cache.dir=DIR ...";
            case NO_LOADER -> INSTALL_LOADER;
            case READY -> "";
        };
    }

    private static boolean add(List<Check> checks, String what, boolean ok, String found, String fix) {
        checks.add(new Check(what, ok, found, ok ? "" : fix));
        return ok;
    }

    private static String firstLine(Throwable e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}
