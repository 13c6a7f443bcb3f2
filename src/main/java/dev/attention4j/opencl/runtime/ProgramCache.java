package dev.attention4j.opencl.runtime;

import dev.attention4j.opencl.machine.UserDirectory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Built programs on disk, so that a second start compiles nothing.
 *
 * <p>An entry's name is the hash of source, options, device, driver and platform; its content begins with that hash and one of
 * itself. A damaged entry, or one of another key or user, is deleted and built again, never given to the driver. An entry that
 * cannot be read now is built again and kept. The directory must be this user's alone; where there is none, nothing is cached.
 * The least recently used entries are deleted where there are too many.
 */
final class ProgramCache {
    private static final Logger LOG = LoggerFactory.getLogger(ProgramCache.class);
    /** The system property that is {@code off} to keep no build unless a directory for it is given. */
    private static final String PROPERTY = "attention4j.programs";

    private static final byte[] MAGIC = "attention4j program 1\n".getBytes(StandardCharsets.US_ASCII);
    private static final int HASH_BYTES = 32;
    private static final String SUFFIX = ".program";

    /** Enough for some thousand builds. */
    private static final long MOST_BYTES = 256L << 20;

    /** The age of unused builds that are deleted: they were of another driver or version of this library. */
    private static final Duration UNUSED = Duration.ofDays(90);

    /** The least time between two updates of a file's time of use. */
    private static final Duration NOTED = Duration.ofDays(1);

    private final Path directory;
    private final long mostBytes;

    private ProgramCache(Path directory) {
        this(directory, MOST_BYTES);
    }

    /** A cache in an existing directory. */
    ProgramCache(Path directory, long mostBytes) {
        this.directory = directory;
        this.mostBytes = mostBytes;
    }

    /** Opens the cache of a device: of one whose driver keeps builds itself, only in a directory that is chosen. */
    static ProgramCache open(Path chosen, Quirks quirks) {
        return chosen == null && quirks.has(Quirks.Quirk.KEEPS_BUILDS) ? new ProgramCache(null) : open(chosen);
    }

    /** Opens the cache in a directory, or in the user's cache if that is null and {@link #PROPERTY} is not off. */
    static ProgramCache open(Path chosen) {
        if (chosen == null && "off".equals(System.getProperty(PROPERTY))) {
            return new ProgramCache(null);
        }
        Path wanted = chosen != null ? chosen : UserDirectory.cache().resolve("programs");
        try {
            if (chosen == null) {
                UserDirectory.ensure(wanted.getParent());
            }
            return new ProgramCache(UserDirectory.ensure(wanted));
        } catch (IOException e) {
            LOG.warn(
                    "Built kernels are not kept between runs: {}{}",
                    e.getMessage(),
                    chosen == null ? "; -D" + UserDirectory.PROPERTY + "=DIR keeps them elsewhere" : "");
            return new ProgramCache(null);
        }
    }

    /** Returns the name of a build's entry. */
    static String key(String... parts) {
        MessageDigest digest = sha256();
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            digest.update(ByteBuffer.allocate(4).putInt(bytes.length).array());
            digest.update(bytes);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Returns whether builds are kept. */
    boolean isOpen() {
        return directory != null;
    }

    Optional<byte[]> load(String key) {
        if (directory == null) {
            return Optional.empty();
        }
        Path file = file(key);
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        byte[] content;
        try {
            UserDirectory.checkFile(file);
            content = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            // Another process has deleted it.
            return Optional.empty();
        } catch (UserDirectory.ForeignFileException e) {
            LOG.warn("A kept build of a kernel is not used, it is built again: {}", e.getMessage());
            drop(key);
            return Optional.empty();
        } catch (IOException e) {
            // For example, too many files are open: that says nothing about the build.
            LOG.warn("A kept build of a kernel cannot be read now, it is built again: {}", e.toString());
            return Optional.empty();
        }
        int header = MAGIC.length + 2 * HASH_BYTES;
        byte[] payload = content.length < header ? new byte[0] : Arrays.copyOfRange(content, header, content.length);
        if (content.length <= header || !Arrays.equals(header(key, payload), Arrays.copyOf(content, header))) {
            LOG.warn("A built kernel is damaged and is built again: {}", file);
            drop(key);
            return Optional.empty();
        }
        noteUse(file);
        return Optional.of(payload);
    }

    private static void noteUse(Path file) {
        try {
            Instant now = Instant.now();
            if (Files.getLastModifiedTime(file).toInstant().isBefore(now.minus(NOTED))) {
                Files.setLastModifiedTime(file, FileTime.from(now));
            }
        } catch (IOException e) {
            LOG.debug("{} is taken to be older than it is", file, e);
        }
    }

    void store(String key, byte[] payload) {
        if (directory == null) {
            return;
        }
        try {
            byte[] header = header(key, payload);
            byte[] content = Arrays.copyOf(header, header.length + payload.length);
            System.arraycopy(payload, 0, content, header.length, payload.length);
            UserDirectory.replace(file(key), content);
            evict();
        } catch (IOException e) {
            LOG.warn("A built kernel cannot be kept for the next run: {}", e.toString());
        }
    }

    private record Build(Path file, long bytes, Instant used) {}

    /** Deletes the least recently used builds over the bound, and all that have not been used for long. */
    private void evict() throws IOException {
        List<Build> builds = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
            for (Path file : files) {
                try {
                    builds.add(new Build(
                            file,
                            Files.size(file),
                            Files.getLastModifiedTime(file).toInstant()));
                } catch (NoSuchFileException e) {
                    LOG.debug("another process has deleted it", e);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        builds.sort(Comparator.comparing(Build::used).reversed());
        Instant oldest = Instant.now().minus(UNUSED);
        long bytes = 0;
        for (Build build : builds) {
            bytes += build.bytes;
            if (bytes > mostBytes || build.used.isBefore(oldest)) {
                Files.deleteIfExists(build.file);
            }
        }
    }

    void drop(String key) {
        try {
            Files.deleteIfExists(file(key));
        } catch (IOException e) {
            LOG.warn("A stale built kernel cannot be deleted: {}", e.toString());
        }
    }

    private Path file(String key) {
        return directory.resolve(key + SUFFIX);
    }

    private static byte[] header(String key, byte[] payload) {
        return ByteBuffer.allocate(MAGIC.length + 2 * HASH_BYTES)
                .put(MAGIC)
                .put(HexFormat.of().parseHex(key))
                .put(sha256().digest(payload))
                .array();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
