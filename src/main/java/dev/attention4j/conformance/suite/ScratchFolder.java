package dev.attention4j.conformance.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A folder for the logs of a child JVM, in the directory for temporary files. A lock on a file in it says that it is in
 * use: the system frees the lock however this process ends, and a later run removes the folder.
 */
record ScratchFolder(Path path, FileChannel lockFile) implements AutoCloseable {
    private static final String PREFIX = "attention4j-suite";
    private static final String LOCK = "lock";

    /** A folder that is younger may not have its lock yet. */
    private static final Duration YOUNG = Duration.ofMinutes(1);

    static ScratchFolder create() throws IOException {
        Path path = Files.createTempDirectory(prefix());
        FileChannel lockFile =
                FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        // Held until the channel is closed.
        lockFile.tryLock();
        return new ScratchFolder(path, lockFile);
    }

    /** With this process's number: where one process opens a locked file twice, closing it once frees its lock. */
    private static String prefix() {
        return PREFIX + "-" + ProcessHandle.current().pid() + "-";
    }

    /** Removes the folders of processes that are no more. */
    static void sweep() {
        Path all = Path.of(System.getProperty("java.io.tmpdir"));
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(all, PREFIX + "*")) {
            for (Path folder : folders) {
                if (!folder.getFileName().toString().startsWith(prefix()) && isLeft(folder)) {
                    remove(folder);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // Another user's, or removed by another run just now: nothing of this run depends on it.
            return;
        }
    }

    private static boolean isLeft(Path folder) {
        try {
            if (Files.getLastModifiedTime(folder)
                    .toInstant()
                    .isAfter(Instant.now().minus(YOUNG))) {
                return false;
            }
            try (FileChannel file = FileChannel.open(folder.resolve(LOCK), StandardOpenOption.WRITE);
                    FileLock lock = file.tryLock()) {
                return lock != null;
            }
        } catch (IOException | OverlappingFileLockException e) {
            return false;
        }
    }

    private static void remove(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
            for (Path file : deepestFirst) {
                Files.deleteIfExists(file);
            }
        } catch (IOException | UncheckedIOException e) {
            // A log that is left in the temporary directory does no harm; the next run tries again.
            return;
        }
    }

    @Override
    public void close() {
        try {
            lockFile.close();
        } catch (IOException e) {
            // Its lock is free at the latest when this process ends.
        }
        remove(path);
    }
}
