package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Map;
import java.util.Optional;

/**
 * The directory in which PoCL keeps, and runs, what it compiled. Where it cannot be written, PoCL has no device; where
 * nothing can be executed in it, PoCL ends the process at the first kernel; where the disk is full, it
 * ends it too; where others can write, what they put there is run: so it is looked at before PoCL is used.
 */
final class PoclCache {
    private static final String DIRECTORY = "POCL_CACHE_DIR";
    /** Our kernels take a megabyte or two, and as much while they are compiled. */
    private static final long LEAST_ROOM = 8L << 20;

    private static final String PLATFORM = "Portable Computing Language";

    private PoclCache() {}

    static boolean isUsedBy(String platformName) {
        return platformName.equals(PLATFORM);
    }

    /** Whether PoCL would end the process as soon as anybody asks for platforms: 3.1 does so at an empty name. */
    static boolean endsTheProcess(Map<String, String> environment) {
        return "".equals(environment.get(DIRECTORY))
                && RegisteredDrivers.find(environment).stream().anyMatch(RegisteredDrivers.Driver::isPocl);
    }

    /** What is wrong with it, one clause; empty if nothing is. */
    static Optional<String> complaint() {
        return complaint(System.getenv());
    }

    static Optional<String> complaint(Map<String, String> environment) {
        Path directory;
        try {
            directory = directory(environment);
        } catch (InvalidPathException e) {
            return Optional.of("PoCL's cache lies where Java cannot look in this locale, LC_ALL=C.UTF-8 lets it: "
                    + e.getMessage());
        }
        try {
            Files.createDirectories(directory);
            Path probe = Files.createTempFile(directory, "attention4j", ".probe");
            try {
                UserDirectory.makeExecutable(probe);
                if (UserDirectory.isPosix(probe)) {
                    checkOthers(directory.toRealPath(), probe);
                }
            } finally {
                Files.delete(probe);
            }
            long room = Files.getFileStore(directory).getUsableSpace();
            return room >= LEAST_ROOM
                    ? Optional.empty()
                    : Optional.of("PoCL ends the process if the disk of its cache, " + directory + ", gets full: "
                            + (room >> 10) + " KiB are left, " + (LEAST_ROOM >> 20) + " MiB must be");
        } catch (IOException e) {
            // What the file system says names no reason but by its class.
            return Optional.of("PoCL cannot keep what it compiles in " + directory + ": "
                    + (e instanceof FileSystemException ? e.toString() : e.getMessage()));
        }
    }

    /** PoCL runs whatever lies there. (That its user's group can write it is usual: the group is often his alone.) */
    private static void checkOthers(Path directory, Path probe) throws IOException {
        UserDirectory.checkOwner(directory, probe);
        if (Files.getPosixFilePermissions(directory).contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IOException("everybody can write there (chmod 700 it)");
        }
    }

    /** As {@code pocl_cache_init_topdir} finds it. */
    static Path directory(Map<String, String> environment) {
        String chosen = environment.get(DIRECTORY);
        if (chosen != null) {
            return Path.of(chosen);
        }
        String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
        if (!xdg.isEmpty()) {
            return Path.of(xdg, "pocl", "kcache");
        }
        String home = environment.get("HOME");
        return home != null ? Path.of(home, ".cache", "pocl", "kcache") : Path.of("/tmp", "pocl", "kcache");
    }
}
