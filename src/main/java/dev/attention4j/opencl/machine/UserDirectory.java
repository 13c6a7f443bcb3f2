package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Directories that only this user can write, so that no other user can plant code that is loaded or run from there. */
public final class UserDirectory {
    /** Thrown if a file is not this user's alone: it must not be used, and may be deleted. */
    public static final class ForeignFileException extends IOException {
        private static final long serialVersionUID = 1;

        private ForeignFileException(String message) {
            super(message);
        }
    }

    /** The system property that moves the cache directory. */
    public static final String PROPERTY = "attention4j.cache.dir";

    /** The age from which a temporary file's process is assumed to be dead. */
    private static final Duration ABANDONED = Duration.ofHours(1);

    private static final Logger LOG = LoggerFactory.getLogger(UserDirectory.class);

    private static final Set<PosixFilePermission> OTHERS_WRITE =
            EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    private UserDirectory() {}

    /** Returns this user's cache directory: the first of {@link #caches} that can be written or made. */
    public static Path cache() {
        List<Path> candidates = caches();
        return candidates.stream()
                .filter(UserDirectory::canBeWritten)
                .findFirst()
                .orElse(candidates.get(0));
    }

    /**
     * Returns the possible cache directories: the one that {@code attention4j.cache.dir} names, or else the usual place of this
     * platform first and one among the temporary files last.
     *
     * @return absolute paths only (a container's user without a passwd entry has the home "?"), and only those that Java can
     *     name (in the locale C none with letters beyond ASCII)
     */
    public static List<Path> caches() {
        String user = System.getProperty("user.name", "").replaceAll("[^A-Za-z0-9._-]", "_");
        Path last = temporary().resolve("attention4j-" + user);
        String chosen = System.getProperty(PROPERTY);
        if (chosen != null && !chosen.isBlank()) {
            return List.of(path(chosen).map(Path::toAbsolutePath).orElse(last));
        }
        List<Path> candidates = new ArrayList<>();
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        if (os.contains("win")) {
            addAbsolute(candidates, System.getenv("LOCALAPPDATA"), "attention4j", "cache");
        }
        String[] inHome = os.contains("mac")
                ? new String[] {"Library", "Caches", "attention4j"}
                : new String[] {".cache", "attention4j"};
        if (!os.contains("win") && !os.contains("mac")) {
            addAbsolute(candidates, System.getenv("XDG_CACHE_HOME"), "attention4j");
        }
        addAbsolute(candidates, System.getProperty("user.home"), inHome);
        addAbsolute(candidates, System.getenv("HOME"), inHome);
        candidates.add(last);
        return candidates.stream().distinct().toList();
    }

    /** Returns the directory of temporary files; /tmp where Java cannot name the one that is set. */
    static Path temporary() {
        return path(System.getProperty("java.io.tmpdir"))
                .orElse(Path.of("/tmp"))
                .toAbsolutePath();
    }

    private static void addAbsolute(List<Path> candidates, String directory, String... below) {
        path(directory).filter(Path::isAbsolute).ifPresent(path -> {
            Path candidate = path;
            for (String name : below) {
                candidate = candidate.resolve(name);
            }
            candidates.add(candidate);
        });
    }

    private static Optional<Path> path(String name) {
        try {
            return name == null || name.isEmpty() ? Optional.empty() : Optional.of(Path.of(name));
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    private static boolean canBeWritten(Path directory) {
        Path there = directory;
        while (there != null && !Files.exists(there, LinkOption.NOFOLLOW_LINKS)) {
            there = there.getParent();
        }
        return there != null && Files.isDirectory(there) && Files.isWritable(there);
    }

    /** Returns a cache's directory from which native libraries can be loaded; empty if there is none. */
    static Optional<Path> natives() {
        for (Path cache : caches()) {
            try {
                Path directory = natives(cache);
                Path probe = Files.createTempFile(directory, "library", ".probe");
                try {
                    makeExecutable(probe);
                    return Optional.of(directory);
                } finally {
                    Files.delete(probe);
                }
            } catch (IOException e) {
                // The next one may be usable.
            }
        }
        return Optional.empty();
    }

    /** Returns a cache's directory of native libraries, which is made if it is missing. */
    static Path natives(Path cache) throws IOException {
        return ensure(ensure(cache).resolve("native"));
    }

    /**
     * Creates a directory if it is missing, and checks that it is this user's alone.
     *
     * @throws IOException if it cannot be created, is a link, is another user's, or other users can write into it
     */
    public static Path ensure(Path directory) throws IOException {
        try {
            return made(directory);
        } catch (FileSystemException e) {
            // These messages are a path, and seldom a reason.
            String reason = e instanceof AccessDeniedException
                    ? "permission denied"
                    : e.getReason() != null ? e.getReason() : e.getClass().getSimpleName();
            throw new IOException(directory + " cannot be made or written (" + e.getFile() + ": " + reason + ")", e);
        }
    }

    private static Path made(Path directory) throws IOException {
        boolean posix = isPosix(directory);
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
            } catch (FileAlreadyExistsException e) {
                // Another process was quicker; its directory is checked below.
            }
        }
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(directory + (Files.isSymbolicLink(directory) ? " is a link" : " is not a directory"));
        }
        if (posix) {
            Path probe = Files.createTempFile(directory, "owner", ".probe");
            try {
                checkOwner(directory, probe);
            } finally {
                Files.delete(probe);
            }
            if (othersWrite(directory)) {
                throw new IOException(directory + " can be written by other users (chmod 700 it)");
            }
        }
        return directory;
    }

    /**
     * Checks that a file in such a directory is this user's too: it may have been put there while others could write.
     *
     * @throws ForeignFileException if it is a link or no regular file, is another user's, or other users can write it
     * @throws IOException if that cannot be found out now
     */
    public static void checkFile(Path file) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new ForeignFileException(file + " is no regular file");
        }
        if (isPosix(file)) {
            checkOwner(file, file.toAbsolutePath().getParent());
            if (othersWrite(file)) {
                throw new ForeignFileException(file + " can be written by other users (chmod 600 it)");
            }
        }
    }

    /**
     * Writes or replaces a file in such a directory, whole or not at all: other readers find the old content or the new.
     */
    public static void replace(Path file, byte[] content) throws IOException {
        Path temporary =
                Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
        try {
            Files.write(temporary, content);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        sweep(file.getParent(), "*.{part,probe}", ABANDONED, file);
    }

    /**
     * Deletes files, and directories of files, that killed processes have left. Those that cannot be deleted stay.
     *
     * @param age younger files may still be in use by another process
     * @param ofThisUser a file whose owner's files alone are deleted
     */
    public static void sweep(Path directory, String glob, Duration age, Path ofThisUser) {
        Instant before = Instant.now().minus(age);
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, glob)) {
            boolean posix = isPosix(directory);
            for (Path one : found) {
                boolean isOld = Files.getLastModifiedTime(one, LinkOption.NOFOLLOW_LINKS)
                        .toInstant()
                        .isBefore(before);
                if (isOld && (!posix || haveOneOwner(one, ofThisUser))) {
                    delete(one);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            LOG.debug("{} is not swept", directory, e);
        }
    }

    private static void delete(Path file) {
        try {
            if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
                try (DirectoryStream<Path> inside = Files.newDirectoryStream(file)) {
                    for (Path one : inside) {
                        Files.deleteIfExists(one);
                    }
                }
            }
            Files.deleteIfExists(file);
        } catch (IOException | DirectoryIteratorException e) {
            // It is another user's, or in use: Windows keeps loaded libraries.
            LOG.debug("{} stays", file, e);
        }
    }

    /** Checks that two files have one owner. */
    static void checkOwner(Path file, Path ofThisUser) throws IOException {
        if (!haveOneOwner(file, ofThisUser)) {
            throw new ForeignFileException(file + " belongs to another user");
        }
    }

    private static boolean haveOneOwner(Path file, Path other) throws IOException {
        return Files.getOwner(file, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(other, LinkOption.NOFOLLOW_LINKS));
    }

    static boolean isPosix(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    private static boolean othersWrite(Path file) throws IOException {
        return Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS).stream()
                .anyMatch(OTHERS_WRITE::contains);
    }

    /**
     * Makes a file executable, as a program or a library.
     *
     * @throws IOException if it then still is not, as on a file system mounted noexec
     */
    static void makeExecutable(Path file) throws IOException {
        if (!file.toFile().setExecutable(true) || !Files.isExecutable(file)) {
            throw new IOException("nothing can be executed there (file system mounted noexec?)");
        }
    }
}
