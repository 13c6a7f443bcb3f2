package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jocl.cl_platform_id;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads JOCL's native library, once, or says why it cannot be loaded.
 *
 * <p>The library is first unpacked, in one atomic step, into a directory that only this user can write; {@link JoclClasses}
 * leads JOCL there. In the place that JOCL looks in by itself, another user of the machine could plant a library, and two JVMs
 * could meet a half-written one. A JVM loads a file for one class loader only, so the next one, as in a web container, gets a
 * copy under another name.
 */
public final class NativeLibrary {
    /** The stage that loading reached. */
    public enum Status {
        /** Loaded, and an OpenCL loader (libOpenCL) found. */
        READY,
        /** JOCL has none for this operating system and architecture. */
        NO_NATIVE,
        /** The library could not be written to disk, or not be loaded from there. */
        NOT_UNPACKED,
        /** This Java allows no native libraries. */
        NO_NATIVE_ACCESS,
        /** It is loaded, but there is no libOpenCL. */
        NO_LOADER
    }

    /** The result of loading. */
    public record Outcome(Status status, String found) {}

    private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);
    private static final String NAME = "JOCL_2_0_6";
    private static final boolean WINDOWS =
            System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("win");

    /**
     * The system property that names JOCL the directory. It stays set: it tells other class loaders of this JVM that the file
     * there is loaded and cannot be loaded again.
     */
    private static final String DIRECTORY = "attention4j.jocl.directory";

    private static final String TEMPORARY = "attention4j-native";

    private static volatile Outcome outcome;

    private NativeLibrary() {}

    /** Loads the library at the first call, and again while it cannot be unpacked: a disk may have room again. */
    public static Outcome load() {
        Outcome known = outcome;
        return known != null ? known : SignalHandlers.keepWhileLoading(NativeLibrary::loadOnce);
    }

    /** Runs in one thread at a time. */
    private static Outcome loadOnce() {
        if (outcome != null) {
            return outcome;
        }
        String platform = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        Optional<String> file = file();
        if (file.isEmpty()) {
            outcome = new Outcome(Status.NO_NATIVE, "JOCL does not know " + platform);
            return outcome;
        }
        byte[] bytes;
        try (InputStream resource = cl_platform_id.class.getResourceAsStream("/lib/" + file.get())) {
            if (resource == null) {
                outcome = new Outcome(
                        Status.NO_NATIVE, "JOCL has no native library for " + platform + " (" + file.get() + ")");
                return outcome;
            }
            bytes = resource.readAllBytes();
        } catch (IOException e) {
            return new Outcome(Status.NOT_UNPACKED, "JOCL's native library cannot be read from its jar: " + e);
        }
        List<String> refusals = new ArrayList<>();
        for (Unpacking unpacking : unpackings()) {
            Path directory = null;
            try {
                directory = unpacking.source().get();
                place(directory, file.get(), bytes);
            } catch (IOException e) {
                refusals.add(unpacking.place() + ": " + firstLine(e));
                if (directory != null && unpacking.once()) {
                    remove(directory, file.get());
                }
                continue;
            }
            // JOCL's class initialises, or fails to, once and for all.
            outcome = initialise(directory);
            if (unpacking.once()) {
                remove(directory, file.get());
            }
            return outcome;
        }
        return new Outcome(
                Status.NOT_UNPACKED, "JOCL's native library cannot be unpacked: " + String.join("; ", refusals));
    }

    /** Returns the library's file name in JOCL's jar; empty where it has none. */
    private static Optional<String> file() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        String family = arch.equals("amd64") || arch.equals("x86_64")
                ? "x86_64"
                : arch.equals("aarch64") || arch.equals("arm64") ? "arm64" : arch;
        if (os.startsWith("windows")) {
            return Optional.of(NAME + "-windows-" + family + ".dll");
        }
        if (os.startsWith("mac os")) {
            return Optional.of("lib" + NAME + "-apple-" + family + ".dylib");
        }
        return os.startsWith("linux") ? Optional.of("lib" + NAME + "-linux-" + family + ".so") : Optional.empty();
    }

    /** Makes or finds a directory to unpack to. */
    private interface DirectorySource {
        Path get() throws IOException;
    }

    /**
     * A directory to unpack to.
     *
     * @param place names it in an error
     * @param source makes it
     * @param once true if it is removed after the library is loaded
     */
    private record Unpacking(Path place, DirectorySource source, boolean once) {}

    /** The caches' own directories first, then a fresh one among the temporary files. */
    private static List<Unpacking> unpackings() {
        boolean loadedElsewhere = System.getProperty(DIRECTORY) != null;
        List<Unpacking> unpackings = new ArrayList<>();
        for (Path cache : UserDirectory.caches()) {
            unpackings.add(new Unpacking(
                    cache.resolve("native"),
                    () -> {
                        Path directory = UserDirectory.natives(cache);
                        return loadedElsewhere ? Files.createTempDirectory(directory, "copy") : directory;
                    },
                    loadedElsewhere));
        }
        Path temporary = UserDirectory.temporary();
        unpackings.add(new Unpacking(
                temporary,
                () -> {
                    Path directory = Files.createTempDirectory(temporary, TEMPORARY);
                    UserDirectory.sweep(temporary, TEMPORARY + "*", Duration.ofDays(1), directory);
                    return directory;
                },
                true));
        return unpackings;
    }

    /** Removes a fresh directory and its library; a loaded library works without its file, except on Windows. */
    private static void remove(Path directory, String file) {
        Path library = directory.resolve(file);
        if (WINDOWS) {
            directory.toFile().deleteOnExit();
            library.toFile().deleteOnExit();
            return;
        }
        try {
            Files.deleteIfExists(library);
            Files.delete(directory);
        } catch (IOException e) {
            LOG.warn("JOCL's native library cannot be removed after it was loaded: {}", e.toString());
        }
    }

    /** Writes the library into a directory of this user's, unless the same file is there and only this user can write it. */
    static void place(Path directory, String file, byte[] bytes) throws IOException {
        Path target = directory.resolve(file);
        if (!isInPlace(target, bytes)) {
            UserDirectory.replace(target, bytes);
        }
        // Checked now, while another directory can still be tried: once JOCL's class has failed to initialise, this JVM
        // has
        // no second attempt. The library cannot be loaded here to find out: its JNI_OnLoad initialises that class.
        UserDirectory.makeExecutable(target);
    }

    private static boolean isInPlace(Path target, byte[] bytes) throws IOException {
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        try {
            UserDirectory.checkFile(target);
        } catch (IOException e) {
            LOG.warn("JOCL's native library is unpacked again: {}", e.getMessage());
            return false;
        }
        return Arrays.equals(Files.readAllBytes(target), bytes);
    }

    private static Outcome initialise(Path directory) {
        try {
            System.setProperty(DIRECTORY, directory.toString());
            boolean ours = JoclClasses.define(DIRECTORY);
            Class.forName("org.jocl.CL", true, NativeLibrary.class.getClassLoader());
            return new Outcome(
                    Status.READY,
                    ours
                            ? "JOCL's native library loaded from " + directory
                            : "JOCL's native library, loaded by JOCL itself, which this program used before attention4j "
                                    + SignalHandlers.loaded("libJOCL"));
        } catch (ClassNotFoundException | LinkageError | IOException e) {
            Throwable cause = e instanceof ExceptionInInitializerError && e.getCause() != null ? e.getCause() : e;
            String message = String.valueOf(cause.getMessage());
            if (message.contains("native OpenCL library")) {
                return new Outcome(Status.NO_LOADER, "no OpenCL loader (libOpenCL) on this machine");
            }
            String reason = reason(message).orElse(firstLine(cause));
            return new Outcome(
                    reason.contains("IllegalCallerException") ? Status.NO_NATIVE_ACCESS : Status.NOT_UNPACKED,
                    "JOCL's native library does not load: " + reason);
        }
    }

    /** Returns why the unpacked file did not load, from JOCL's message of a headline and two stack traces. */
    static Optional<String> reason(String message) {
        return message.lines()
                .dropWhile(line -> !line.contains("load the library as a resource"))
                .skip(1)
                .findFirst()
                .map(String::strip);
    }

    private static String firstLine(Throwable e) {
        if (e instanceof FileSystemException failed && failed.getReason() != null) {
            // Otherwise the message begins with a path whose temporary name changes each time.
            return failed.getReason();
        }
        String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        return e instanceof UnsatisfiedLinkError || e.getClass() == IOException.class
                ? message
                : e.getClass().getSimpleName() + ": " + message;
    }
}
