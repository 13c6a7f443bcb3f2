package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.machine.NativeLibrary;
import dev.attention4j.opencl.machine.RegisteredDrivers;
import dev.attention4j.opencl.machine.SignalHandlers;
import dev.attention4j.opencl.probe.DeviceProbe;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Finds out why OpenCL does not work on this machine: checks its parts from the lowest up, and stops at the first that is
 * missing.
 */
public final class Doctor {
    private static final String INSTALL_LOADER = "install an OpenCL loader: on Debian or Ubuntu"
            + " `apt-get install ocl-icd-libopencl1`, on Windows and macOS it comes with the graphics driver";
    private static final String INSTALL_DRIVER = "install a driver: the graphics vendor's with its OpenCL part"
            + " (NVIDIA: libnvidia-opencl1 or the driver's .run file; AMD: rocm-opencl-icd; Intel: intel-opencl-icd), or"
            + " for the CPU `apt-get install pocl-opencl-icd`; each registers itself by a file in /etc/OpenCL/vendors"
            + " (or where OCL_ICD_VENDORS points)";
    private static final String VENDORS = "OCL_ICD_VENDORS";
    private static final String REPAIR_DRIVER =
            "`ldd LIBRARY` names what a driver's library lacks: install that, or the"
                    + " driver again; one that lacks nothing sees no hardware of its own (nvidia-smi, ls -l /dev/dri); or for the CPU"
                    + " `apt-get install pocl-opencl-icd`";
    private static final String ENABLE_DEVICE = "see that the device is there and this user may use it (groups video"
            + " and render own /dev/dri; nvidia-smi, clinfo), or for the CPU `apt-get install pocl-opencl-icd`";
    private static final String CHOOSE_POCL_CACHE =
            "name a directory that this user can write, on a file system mounted"
                    + " without noexec, with 8 MiB of room: POCL_CACHE_DIR=DIR java ...";
    private static final String INSTALL_LINKER =
            "install it (on Debian or Ubuntu `apt-get install binutils`), or have its directory in PATH";

    private static final int[] USUAL_HEAD_DIMS = {64, 128};

    /** Enough for the plan of long problems. */
    private static final int USUAL_LENGTH = 1024;

    private Doctor() {}

    /**
     * The result of a check.
     *
     * @param what the condition
     * @param found the machine's state
     * @param fix the remedy; empty if none is needed
     */
    public record Check(String what, boolean ok, String found, String fix) {}

    /**
     * The results of all checks.
     *
     * @param machine the conditions of any device, up to the first that does not hold
     * @param devices a check of each device; empty if there is none
     */
    public record Examination(List<Check> machine, List<Check> devices) {
        /** Copies the lists. */
        public Examination {
            machine = List.copyOf(machine);
            devices = List.copyOf(devices);
        }
    }

    /** Examines this machine. */
    public static Examination examine() {
        List<Check> machine = new ArrayList<>();
        NativeLibrary.Outcome library = NativeLibrary.load();
        NativeLibrary.Status status = library.status();
        boolean known = status != NativeLibrary.Status.NO_NATIVE;
        String platform = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        boolean loaded = status == NativeLibrary.Status.READY || status == NativeLibrary.Status.NO_LOADER;
        boolean loader = status == NativeLibrary.Status.READY;
        boolean usable = add(
                        machine,
                        "JOCL has a native library for this platform",
                        known,
                        known ? platform : library.found(),
                        fix(status))
                && add(
                        machine,
                        "JOCL's native library can be unpacked and loaded",
                        loaded,
                        loader || !loaded ? library.found() : "loaded",
                        fix(status))
                && add(
                        machine,
                        "there is an OpenCL loader",
                        loader,
                        loader ? "libOpenCL" : library.found(),
                        fix(status));
        if (!usable) {
            return new Examination(machine, List.of());
        }
        Devices.Search search = Devices.find();
        boolean driver = search.status() != Devices.Status.NO_DRIVER && search.status() != Devices.Status.NO_PLATFORM;
        usable = add(
                        machine,
                        "a vendor's driver is registered, and loads",
                        driver,
                        driver ? "at least one platform" : search.found(),
                        fix(search))
                && add(
                        machine,
                        "a driver has a device",
                        search.status() == Devices.Status.FOUND,
                        search.found(),
                        fix(search));
        if (!usable) {
            return new Examination(machine, List.of());
        }
        search.whyNoRusticl()
                .ifPresent(cause ->
                        machine.add(new Check("each driver has a device", true, cause, RegisteredDrivers.RUSTICL_FIX)));
        machine.add(signalHandlers(SignalHandlers.areAtRisk(), SignalHandlers.whyNotKept()));
        for (ClDevice device : search.devices()) {
            if (device.type() == ClDevice.Type.GPU) {
                outOfRegisters(device).ifPresent(machine::add);
            }
        }
        return new Examination(
                machine, search.devices().stream().map(Doctor::examine).toList());
    }

    /** Checks the signal handlers: a danger to the JVM, but no obstacle for devices. */
    static Check signalHandlers(boolean atRisk, Optional<String> whyNotKept) {
        String what = "the JVM keeps its signal handlers while drivers compile";
        return whyNotKept
                .map(reason -> new Check(
                        what,
                        false,
                        "PoCL replaces them, and they cannot be put back (" + reason
                                + "): 7 / 0 may be 7 then, Ctrl-C may"
                                + " not run shutdown hooks, and very rarely the JVM crashes",
                        SignalHandlers.fix()))
                .orElse(new Check(
                        what,
                        true,
                        atRisk ? "PoCL replaces them, and they are put back" : "no driver is known to replace them",
                        ""));
    }

    private static Check examine(ClDevice device) {
        String what = OpenClProvider.id(device) + " " + device.name() + " computes right";
        String driver = device.platformName() + " " + device.driverVersion();
        try (DeviceContext context = DeviceContext.open(device, null)) {
            DeviceProbe.checkArithmetic(context);
        } catch (DeviceException e) {
            return failed(what, driver, e);
        }
        try (AttentionEngine engine = new OpenClEngine(OpenClProvider.info(device), device, EngineOptions.DEFAULT)) {
            return verdict(what, driver, device.index(), attend(engine));
        } catch (DeviceException e) {
            return failed(what, driver, e);
        }
    }

    /** Looks for kernels of the usual widths for which a GPU has too few registers; one that fails is reported elsewhere. */
    private static Optional<Check> outOfRegisters(ClDevice device) {
        try (OpenClEngine engine = new OpenClEngine(OpenClProvider.info(device), device, EngineOptions.DEFAULT)) {
            for (int headDim : USUAL_HEAD_DIMS) {
                Tensor zeros = Tensor.zeros(DType.FLOAT32, 1, 1, USUAL_LENGTH, headDim);
                engine.attend(zeros, zeros, zeros).close();
            }
            return Optional.of(registers(OpenClProvider.id(device) + " " + device.name(), engine.outOfRegisters()));
        } catch (DeviceException e) {
            return Optional.empty();
        }
    }

    /** A note if there is such a kernel, by name and build, with the bytes of memory of a work-item. */
    static Check registers(String device, Map<String, Long> outOfRegisters) {
        String what = device + " keeps what kernels work on in registers";
        if (outOfRegisters.isEmpty()) {
            return new Check(
                    what, true, "no kernel of the usual widths needs memory for it, as far as the driver says", "");
        }
        String kernels = outOfRegisters.entrySet().stream()
                .map(each -> each.getKey().split(" ", 2)[0] + " " + each.getValue())
                .distinct()
                .collect(Collectors.joining(", "));
        return new Check(
                what,
                true,
                "bytes of memory of a work-item: " + kernels + ", which is slow",
                "run the command tune, which times other tilings");
    }

    /** Attends to equal keys: each weight is 1/3 for any query, and the output is the mean of the values. */
    private static float[] attend(AttentionEngine engine) {
        Tensor query = Tensor.of(new float[] {1, -2, 3, 0.5f}, 1, 1, 2, 2);
        Tensor key = Tensor.of(new float[] {1, 1, 1, 1, 1, 1}, 1, 1, 3, 2);
        Tensor value = Tensor.of(new float[] {1, 2, 4, 8, 7, 2}, 1, 1, 3, 2);
        return engine.attend(query, key, value).output().toFloatArray();
    }

    /** Checks the output of {@link #attend}. */
    static Check verdict(String what, String driver, int index, float[] output) {
        boolean right = output.length == 4;
        for (float element : output) {
            // Written so that NaN fails.
            right &= Math.abs(element - 4) <= 1e-5;
        }
        return right
                ? new Check(what, true, driver + ": a kernel was built and attention is right", "")
                : new Check(
                        what,
                        false,
                        "attention gave " + Arrays.toString(output) + ", must be 4 everywhere",
                        "run the command conformance with --device " + index
                                + " and report what it prints, with this driver's version");
    }

    static Check failed(String what, String driver, DeviceException e) {
        return new Check(
                what,
                false,
                firstLine(e),
                "update the driver, " + driver + "; until then use another device (--device)");
    }

    /** Returns the fix for the result of a search for devices. */
    static String fix(Devices.Search search) {
        return switch (search.status()) {
            case NO_LIBRARY -> fix(NativeLibrary.load().status());
            case NO_DRIVER -> fix(System.getenv(VENDORS), INSTALL_DRIVER);
            case NO_PLATFORM -> fix(System.getenv(VENDORS), REPAIR_DRIVER);
            case NO_DEVICE ->
                search.whyNoRusticl().isPresent()
                        ? RegisteredDrivers.RUSTICL_FIX + "; else " + ENABLE_DEVICE
                        : ENABLE_DEVICE;
            case NO_POCL_CACHE -> CHOOSE_POCL_CACHE;
            case NO_POCL_LINKER -> INSTALL_LINKER;
            case FOUND -> "";
        };
    }

    /** Returns the usual fix, unless the loader looks in a place that does not exist. */
    static String fix(String vendors, String usual) {
        return vendors == null || isThere(vendors)
                ? usual
                : VENDORS + "=" + vendors
                        + " names nothing that exists: unset it, or let it name a folder of .icd files";
    }

    private static boolean isThere(String path) {
        try {
            return Files.exists(Path.of(path));
        } catch (InvalidPathException e) {
            // Java cannot name it in this locale; the loader can.
            return true;
        }
    }

    private static String fix(NativeLibrary.Status status) {
        return switch (status) {
            case NO_NATIVE ->
                "use Windows, Linux or macOS on x86-64, or Linux or macOS on ARM64; the CPU engine works"
                        + " everywhere";
            case NOT_UNPACKED ->
                "name a directory that this user can write, on a file system mounted without noexec:"
                        + " java -Dattention4j.cache.dir=DIR ...";
            case NO_NATIVE_ACCESS ->
                "start Java with --enable-native-access=ALL-UNNAMED; of a program on the module path,"
                        + " --enable-native-access=jocl,com.sun.jna";
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
