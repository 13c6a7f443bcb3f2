package dev.attention4j.opencl.runtime;

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

/**
 * The drivers that are registered with the OpenCL loader of a Unix system: for each a file {@code *.icd} in {@code
 * /etc/OpenCL/vendors}, or where {@code OCL_ICD_VENDORS} points, that holds the name of its library.
 *
 * <p>Read without OpenCL: a driver that does not load is seen here alone.
 */
public final class RegisteredDrivers {
    private static final Path VENDORS = Path.of("/etc/OpenCL/vendors");

    /**
     * One of them.
     *
     * @param registration the file, or the variable of the environment, that names the library
     * @param library a path, or a name that the dynamic linker looks up
     */
    public record Driver(String registration, String library) {
        /** PoCL compiles inside the process, with LLVM's handlers for signals. */
        boolean isPocl() {
            return library.toLowerCase(Locale.ROOT).contains("pocl");
        }

        /** Mesa's, which shows no device unless a variable names it. */
        boolean isRusticl() {
            return library.toLowerCase(Locale.ROOT).contains("rusticl");
        }

        private static boolean isMissing(String path) {
            try {
                return !Files.exists(Path.of(path));
            } catch (InvalidPathException e) {
                // In this locale Java cannot name it, the loader can.
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

    /**
     * Those that the loader will find.
     *
     * @return in the order of their files' names; empty where there are none, or this is not a Unix system
     */
    public static List<Driver> find() {
        return find(System.getenv());
    }

    static List<Driver> find(Map<String, String> environment) {
        List<Driver> drivers = new ArrayList<>();
        try {
            // Both loaders, ocl-icd and Khronos's, take a directory; ocl-icd also a registration or a library.
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
            // What cannot be read here the loader cannot read either.
        }
        for (String library : environment.getOrDefault("OCL_ICD_FILENAMES", "").split(":", -1)) {
            if (!library.isEmpty()) {
                drivers.add(new Driver("OCL_ICD_FILENAMES", library));
            }
        }
        return drivers;
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
