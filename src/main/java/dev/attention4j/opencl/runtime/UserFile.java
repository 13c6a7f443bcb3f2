package dev.attention4j.opencl.runtime;

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

/** A small file of this user's, in a directory that only this user can write; it is replaced whole or not at all. */
public final class UserFile {
    private static final Logger LOG = LoggerFactory.getLogger(UserFile.class);
    private static final long MOST_BYTES = 4L << 20;

    private final Path path;

    private UserFile(Path path) {
        this.path = path;
    }

    /**
     * A file in the user's cache directory.
     *
     * @param name of the file
     * @return need not be there
     */
    public static UserFile inCache(String name) {
        return at(UserDirectory.cache().resolve(name));
    }

    /**
     * A file elsewhere.
     *
     * @param path of the file
     * @return need not be there
     */
    public static UserFile at(Path path) {
        return new UserFile(path.toAbsolutePath());
    }

    /**
     * Where it is.
     *
     * @return need not be there
     */
    public Path path() {
        return path;
    }

    /**
     * What is in it.
     *
     * @return empty if it is not there
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

    /**
     * Makes its directory, so that what cannot be kept is known before it is worked for.
     *
     * @throws IOException if it cannot be made or written, or is not this user's alone
     */
    public void prepare() throws IOException {
        UserDirectory.ensure(path.getParent());
    }

    /**
     * Replaces it; whoever reads meanwhile, or stops this program, finds the old content or the new.
     *
     * @param content all of it
     * @throws IOException if it cannot be written there
     */
    public void write(byte[] content) throws IOException {
        prepare();
        UserDirectory.replace(path, content);
    }

    /** Reads and writes a file. */
    @FunctionalInterface
    public interface Change {
        /**
         * Reads it, and writes it if it must.
         *
         * @throws IOException if it cannot
         */
        void run() throws IOException;
    }

    /**
     * Changes what is in it: of all that do so, in this process and in others, one after another, so that none writes
     * over what another has added.
     *
     * @param change reads and writes
     * @throws IOException what the change throws, or if nothing can be written there
     */
    public void change(Change change) throws IOException {
        prepare();
        Path lock = path.resolveSibling(path.getFileName() + ".lock");
        synchronized (UserFile.class) {
            // An interrupt closes a channel, and what follows would run without the lock: it waits for the end.
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
                // This library in another class loader of this JVM, which the monitor does not keep out.
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
            } catch (IOException e) {
                // A file system without locks: what was found must be kept all the same.
                LOG.debug("no lock", e);
                return;
            }
        }
    }

    /**
     * Gets a file that is of no use out of the way, without losing what is in it.
     *
     * @return where it is now
     * @throws IOException if it cannot be moved
     */
    public Path setAside() throws IOException {
        return Files.move(
                path, path.resolveSibling(path.getFileName() + ".damaged"), StandardCopyOption.REPLACE_EXISTING);
    }
}
