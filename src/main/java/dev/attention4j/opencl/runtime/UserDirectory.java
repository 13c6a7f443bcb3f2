package dev.attention4j.opencl.runtime;

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

/** Directories that only this user can write: what is loaded or run from there cannot be planted by another. */
final class UserDirectory {
    /** Thrown where a file is not this user's alone: it must not be used, and may be deleted. */
    static final class ForeignFileException extends IOException {
        private static final long serialVersionUID = 1;

        private ForeignFileException(String message) {
            super(message);
        }
    }

    /** Moves the cache directory. */
    static final String PROPERTY = "attention4j.cache.dir";

    /** From here on a temporary file's process is taken to be dead. */
    private static final Duration ABANDONED = Duration.ofHours(1);

    private static final Logger LOG = LoggerFactory.getLogger(UserDirectory.class);

    private static final Set<PosixFilePermission> OTHERS_WRITE =
            EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    private UserDirectory() {}

    /**
     * Where this user's caches lie: the first of {@link #caches} that is there and can be written, or that can be made.
     */
    static Path cache() {
        List<Path> candidates = caches();
        return candidates.stream()
                .filter(UserDirectory::canBeWritten)
                .findFirst()
                .orElse(candidates.get(0));
    }

    /**
     * Where this user's caches may lie, the usual place of this platform first; if {@code attention4j.cache.dir} names a
     * directory, that alone. The last lies among the temporary files.
     *
     * @return absolute, whatever the environment says: a container's user without an entry in its list of users has the
     *     home "?"; without those that Java cannot name, such as one with letters beyond ASCII if the locale is C
     */
    static List<Path> caches() {
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

    /** The directory of all users' temporary files, also where Java cannot name the one that it is told. */
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

    /** Where native libraries can be unpacked and loaded from; empty if nowhere among the caches. */
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
                // The next may do.
            }
        }
        return Optional.empty();
    }

    /** A cache's directory of native libraries, made if it is not there. */
    static Path natives(Path cache) throws IOException {
        return ensure(ensure(cache).resolve("native"));
    }

    /**
     * Creates the directory if it is not there, and makes sure that it is this user's alone.
     *
     * @throws IOException if it cannot be created, is a link, is another's, or others may write into it
     */
    static Path ensure(Path directory) throws IOException {
        try {
            return made(directory);
        } catch (FileSystemException e) {
            // Their messages are a path, and seldom a reason.
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
                // Another process was quicker; whether what it made is fit is seen below.
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
     * Makes sure that what lies in such a directory is this user's too: it may have been put there while the directory
     * was open to others.
     *
     * @param file is there
     * @throws ForeignFileException if it is a link or no regular file, is another's, or others may write it
     * @throws IOException if that cannot be found out now
     */
    static void checkFile(Path file) throws IOException {
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
     * Writes a file in such a directory, whole or not at all: whoever reads it meanwhile finds the old content or the
     * new.
     *
     * @param file is replaced if it is there
     * @throws IOException if it cannot be written there
     */
    static void replace(Path file, byte[] content) throws IOException {
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
     * Deletes what processes that were killed have left behind: files, and directories of files. What cannot be deleted
     * stays.
     *
     * @param directory is listed
     * @param glob of the names
     * @param age what is younger may be another process's that is still at it
     * @param ofThisUser whose owner's files alone are deleted
     */
    static void sweep(Path directory, String glob, Duration age, Path ofThisUser) {
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
            // Another user's, or in use: Windows keeps what is loaded.
            LOG.debug("{} stays", file, e);
        }
    }

    /** That two files have one owner. */
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
