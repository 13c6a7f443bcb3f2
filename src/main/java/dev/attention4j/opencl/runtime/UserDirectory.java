package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Directories that only this user can write: what is loaded or run from there cannot be planted by another. */
final class UserDirectory {
    private static final Set<PosixFilePermission> OTHERS_WRITE =
            EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    private UserDirectory() {}

    /** Where this platform keeps a user's caches; {@code attention4j.cache.dir} overrides it. */
    static Path cache() {
        String chosen = System.getProperty("attention4j.cache.dir");
        if (chosen != null) {
            return Path.of(chosen);
        }
        String home = System.getProperty("user.home");
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String xdg = System.getenv("XDG_CACHE_HOME");
        String local = System.getenv("LOCALAPPDATA");
        if (os.contains("win") && local != null) {
            return Path.of(local, "attention4j", "cache");
        }
        if (os.contains("mac")) {
            return Path.of(home, "Library", "Caches", "attention4j");
        }
        return xdg != null && !xdg.isEmpty() ? Path.of(xdg, "attention4j") : Path.of(home, ".cache", "attention4j");
    }

    /**
     * Creates the directory if it is not there, and makes sure that it is this user's alone.
     *
     * @throws IOException if it cannot be created, is a link, is another's, or others may write into it
     */
    static Path ensure(Path directory) throws IOException {
        boolean posix = FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            Path parent = directory.toAbsolutePath().getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            try {
                if (posix) {
                    Files.createDirectory(
                            directory,
                            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
                } else {
                    Files.createDirectory(directory);
                }
            } catch (java.nio.file.FileAlreadyExistsException e) {
                // Another process was quicker; whether what it made is fit is seen below.
            }
        }
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(directory + " is not a directory");
        }
        if (posix) {
            Path probe = Files.createTempFile(directory, "owner", ".probe");
            try {
                if (!Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(probe))) {
                    throw new IOException(directory + " belongs to another user");
                }
            } finally {
                Files.delete(probe);
            }
            Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS);
            if (permissions.stream().anyMatch(OTHERS_WRITE::contains)) {
                throw new IOException(directory + " can be written by other users (chmod 700 it)");
            }
        }
        return directory;
    }

    /**
     * Makes a file one that can be run or loaded as a library.
     *
     * @throws IOException if that does not help: a file system mounted noexec shows itself by this (access(2) says so)
     */
    static void makeExecutable(Path file) throws IOException {
        if (!file.toFile().setExecutable(true) || !Files.isExecutable(file)) {
            throw new IOException("nothing can be executed there (file system mounted noexec?)");
        }
    }
}
