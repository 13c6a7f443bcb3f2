package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The drivers that are registered with the OpenCL loader of a Unix system: for each a file {@code *.icd} in {@code
 * /etc/OpenCL/vendors}, or where {@code OCL_ICD_VENDORS} points, that holds the name of its library.
 *
 * <p>They are read without OpenCL, so they include drivers that do not load.
 */
public final class RegisteredDrivers {
    private static final Path VENDORS = Path.of("/etc/OpenCL/vendors");

    private static final String ENABLE_RUSTICL = "RUSTICL_ENABLE";

    /** The fix: it enables the driver. */
    public static final String RUSTICL_FIX = "to use Mesa's devices, start Java with " + ENABLE_RUSTICL
            + "=iris (Intel), radeonsi (AMD), nouveau (NVIDIA), panfrost (Mali) or llvmpipe (the CPU; slow, for tests)";

    /**
     * A registered driver.
     *
     * @param registration the file, or the variable of the environment, that names the library
     * @param library a path, or a name that the dynamic linker looks up
     */
    public record Driver(String registration, String library) {
        /** PoCL compiles in this process, and LLVM replaces its signal handlers. */
        boolean isPocl() {
            return library.toLowerCase(Locale.ROOT).contains("pocl");
        }

        /** Mesa's driver shows no device unless a variable of the environment names one. */
        boolean isRusticl() {
            return library.toLowerCase(Locale.ROOT).contains("rusticl");
        }

        private static boolean isMissing(String path) {
            try {
                return !Files.exists(Path.of(path));
            } catch (InvalidPathException e) {
                // Java cannot name it in this locale; the loader can.
                return false;
            }
        }

        @Override
        public String toString() {
            return registration + " (" + library
                    + (library.contains("/") && isMissing(library) ? ": no such file)" : ")");
        }
    }

    private RegisteredDrivers() {}

    /** Finds those that the loader will find, by the names of their files; none outside of Unix systems. */
    public static List<Driver> find() {
        return find(System.getenv());
    }

    static List<Driver> find(Map<String, String> environment) {
        List<Driver> drivers = new ArrayList<>();
        try {
            // Both loaders, ocl-icd and Khronos's, take a directory; ocl-icd also takes a registration or a library.
            String variable = environment.getOrDefault("OCL_ICD_VENDORS", "").isEmpty()
                    ? "OPENCL_VENDOR_PATH"
                    : "OCL_ICD_VENDORS";
            String chosen = environment.getOrDefault(variable, "");
            Path vendors = chosen.isEmpty() ? VENDORS : Path.of(chosen);
            if (Files.isDirectory(vendors)) {
                addAll(vendors, drivers);
            } else if (chosen.endsWith(".icd")) {
                add(vendors, drivers);
            } else if (!chosen.isEmpty()) {
                drivers.add(new Driver(variable, chosen));
            }
        } catch (IOException | InvalidPathException e) {
            // The loader cannot read this one either.
        }
        for (String library : environment.getOrDefault("OCL_ICD_FILENAMES", "").split(":", -1)) {
            if (!library.isEmpty()) {
                drivers.add(new Driver("OCL_ICD_FILENAMES", library));
            }
        }
        return drivers;
    }

    /**
     * Returns why Rusticl, Mesa's driver, is not among the platforms with devices though it is installed: it shows only
     * the devices that a variable of the environment names. One sentence; empty if it is not installed or has a device.
     */
    public static Optional<String> whyNoRusticl(List<String> platforms) {
        return whyNoRusticl(System.getenv(), find(), platforms);
    }

    static Optional<String> whyNoRusticl(
            Map<String, String> environment, List<Driver> drivers, List<String> platforms) {
        boolean hasDevice = platforms.stream()
                .anyMatch(platform -> platform.toLowerCase(Locale.ROOT).contains("rusticl"));
        if (hasDevice || drivers.stream().noneMatch(Driver::isRusticl)) {
            return Optional.empty();
        }
        String enabled = environment.getOrDefault(ENABLE_RUSTICL, "");
        return Optional.of("Mesa's driver Rusticl is installed and shows no device: "
                + (enabled.isEmpty()
                        ? ENABLE_RUSTICL + " is not set."
                        : ENABLE_RUSTICL + "=" + enabled + " names none that is here."));
    }

    private static void addAll(Path directory, List<Driver> drivers) throws IOException {
        List<Path> registrations = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*.icd")) {
            files.forEach(registrations::add);
        }
        registrations.sort(Comparator.naturalOrder());
        for (Path registration : registrations) {
            add(registration, drivers);
        }
    }

    private static void add(Path registration, List<Driver> drivers) {
        if (!Files.isReadable(registration)) {
            return;
        }
        try {
            Files.readString(registration)
                    .lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty())
                    .findFirst()
                    .ifPresent(library -> drivers.add(new Driver(registration.toString(), library)));
        } catch (IOException e) {
            // As above.
        }
    }
}
