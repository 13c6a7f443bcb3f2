package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.FileLockInterruptionException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A small file in a directory that only this user can write; it is replaced whole or not at all. */
public final class UserFile {
    private static final Logger LOG = LoggerFactory.getLogger(UserFile.class);
    private static final long MOST_BYTES = 4L << 20;

    private final Path path;

    private UserFile(Path path) {
        this.path = path;
    }

    /** Returns a file of the user's cache directory; it need not exist. */
    public static UserFile inCache(String name) {
        return at(UserDirectory.cache().resolve(name));
    }

    /** Returns a file elsewhere; it need not exist. */
    public static UserFile at(Path path) {
        return new UserFile(path.toAbsolutePath());
    }

    public Path path() {
        return path;
    }

    /**
     * Returns its content; empty if it is missing.
     *
     * @throws IOException if it cannot be read, is no file, is too large, is another user's, or others can write it
     */
    public Optional<byte[]> read() throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        UserDirectory.ensure(path.getParent());
        UserDirectory.checkFile(path);
        if (Files.size(path) > MOST_BYTES) {
            throw new IOException(path + " has more than " + MOST_BYTES + " bytes");
        }
        try {
            return Optional.of(Files.readAllBytes(path));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /** Makes its directory, so that a failure shows before the work is done. */
    public void prepare() throws IOException {
        UserDirectory.ensure(path.getParent());
    }

    /** Replaces it. Other readers find the old content or the new, even if this program is stopped meanwhile. */
    public void write(byte[] content) throws IOException {
        prepare();
        UserDirectory.replace(path, content);
    }

    /** Reads and writes a file. */
    @FunctionalInterface
    public interface Change {
        void run() throws IOException;
    }

    /**
     * Runs a change while no other, of this process or another, runs, so that none overwrites another's.
     *
     * @throws IOException if the change throws it, or if nothing can be written there
     */
    public void change(Change change) throws IOException {
        prepare();
        Path lock = path.resolveSibling(path.getFileName() + ".lock");
        synchronized (UserFile.class) {
            // An interrupt closes the channel, and the rest would run without the lock: it is delivered at the end.
            boolean interrupted = Thread.interrupted();
            try {
                while (!changeLocked(lock, change)) {
                    interrupted |= Thread.interrupted();
                }
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    /** Returns false if an interrupt came before the lock did. */
    private static boolean changeLocked(Path lock, Change change) throws IOException {
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            try {
                lockUntilClosed(channel);
            } catch (ClosedByInterruptException | FileLockInterruptionException e) {
                return false;
            }
            change.run();
            return true;
        }
    }

    private static void lockUntilClosed(FileChannel channel) throws IOException {
        while (true) {
            try {
                FileLock unused = channel.lock();
                return;
            } catch (ClosedByInterruptException | FileLockInterruptionException e) {
                throw e;
            } catch (OverlappingFileLockException e) {
                // Held by this library in another class loader of this JVM, which has a monitor of its own.
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
            } catch (IOException e) {
                // On a file system without locks the change is made without one.
                LOG.debug("no lock", e);
                return;
            }
        }
    }

    /** Renames a damaged file, which keeps its content, and returns its new path. */
    public Path setAside() throws IOException {
        return Files.move(
                path, path.resolveSibling(path.getFileName() + ".damaged"), StandardCopyOption.REPLACE_EXISTING);
    }
}
