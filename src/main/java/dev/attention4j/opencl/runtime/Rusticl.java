package dev.attention4j.opencl.runtime;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Mesa's OpenCL driver, which is often installed and shows no device until a variable of the environment names one. */
public final class Rusticl {
    private static final String ENABLE = "RUSTICL_ENABLE";

    /** How to enable it. */
    public static final String FIX = "to use Mesa's devices, start Java with " + ENABLE
            + "=iris (Intel), radeonsi (AMD), nouveau (NVIDIA), panfrost (Mali) or llvmpipe (the CPU; slow, for tests)";

    private Rusticl() {}

    /**
     * Tells why it shows no device, if it is installed and shows none.
     *
     * @param devices all that were found
     * @return one sentence; empty if it is not installed or has a device
     */
    public static Optional<String> absence(List<ClDevice> devices) {
        return absence(
                System.getenv(),
                RegisteredDrivers.find(),
                devices.stream().map(ClDevice::platformName).toList());
    }

    static Optional<String> absence(
            Map<String, String> environment, List<RegisteredDrivers.Driver> drivers, List<String> platforms) {
        boolean isInstalled = drivers.stream().anyMatch(RegisteredDrivers.Driver::isRusticl);
        boolean hasDevice = platforms.stream()
                .anyMatch(platform -> platform.toLowerCase(Locale.ROOT).contains("rusticl"));
        if (!isInstalled || hasDevice) {
            return Optional.empty();
        }
        String enabled = environment.getOrDefault(ENABLE, "");
        return Optional.of("Mesa's driver Rusticl is installed and shows no device: "
                + (enabled.isEmpty() ? ENABLE + " is not set." : ENABLE + "=" + enabled + " names none that is here."));
    }
}
