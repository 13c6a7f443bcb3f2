package dev.attention4j.bench;

import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Prints what the OpenCL devices of this machine can do at most. */
public final class RooflineCommand {
    private RooflineCommand() {}

    /**
     * Measures devices, each for about a second. Exits 1 if one cannot be measured, 2 if there is none of that name.
     *
     * @param args devices, as {@code --device} of the command line takes them; none for all but emulators
     */
    public static void main(String[] args) {
        Set<EngineInfo> devices = new LinkedHashSet<>();
        try {
            for (String device : args) {
                devices.add(Engines.resolve(device));
            }
        } catch (IllegalArgumentException e) {
            System.err.println("Roofline: " + e.getMessage().replaceAll("\\s*\\R\\s*", "; "));
            System.exit(2);
        }
        if (args.length == 0) {
            Engines.list().stream()
                    .filter(info -> info.isOpenCl() && info.kind() != EngineInfo.Kind.EMULATOR)
                    .forEach(devices::add);
        }
        if (devices.isEmpty()) {
            System.err.println("Roofline: there is no OpenCL device here");
            System.exit(2);
        }
        boolean failed = false;
        for (EngineInfo info : devices) {
            Optional<ClDevice> device = Roofline.device(info);
            if (device.isEmpty()) {
                System.err.println("Roofline: " + info.id() + " is no OpenCL device");
                System.exit(2);
            }
            try {
                Roofline roofline = Roofline.measure(device.get());
                System.out.println(info.id() + "  " + info.name() + ", " + info.driver() + ": " + line(roofline));
            } catch (RuntimeException e) {
                System.err.println("Roofline: " + info.id() + ": " + RoundTiming.message(e));
                failed = true;
            }
        }
        System.exit(failed ? 1 : 0);
    }

    /** One line of figures. */
    static String line(Roofline roofline) {
        return String.format(
                Locale.ROOT,
                "multiply-add peak %.0f GFLOP/s, copy %.1f GB/s, read %.1f GB/s",
                roofline.multiplyAddGflops(),
                roofline.copyGbPerS(),
                roofline.readGbPerS());
    }
}
