package dev.attention4j.opencl.runtime;

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
 * Loads JOCL's native library, once, and says what went wrong where it cannot be.
 *
 * <p>It is unpacked here first, in one atomic step, into a directory that only this user can write, and JOCL is shown
 * that directory (see {@link JoclClasses}): on a shared machine another user could plant a library where JOCL by itself
 * looks, and two JVMs can meet a half-written one. A JVM loads a file for one class loader only, so the next, as in a web
 * container, gets a copy under another name.
 */
public final class NativeLibrary {
    /** How far loading got. */
    public enum Status {
        /** Loaded, and an OpenCL loader (libOpenCL) found. */
        READY,
        /** JOCL has none for this operating system and architecture. */
        NO_NATIVE,
        /** It could not be written to disk, or what was written could not be loaded. */
        NOT_UNPACKED,
        /** This Java allows no native libraries. */
        NO_NATIVE_ACCESS,
        /** It is loaded, but there is no libOpenCL. */
        NO_LOADER
    }

    /**
     * How loading went.
     *
     * @param status how far it got
     * @param found what was found, one sentence
     */
    public record Outcome(Status status, String found) {}

    private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);
    private static final String NAME = "JOCL_2_0_6";
    private static final boolean WINDOWS =
            System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("win");

    /**
     * Names JOCL the directory. It stays set, so that what another class loader of this JVM has loaded is known, which
     * this one cannot load again.
     */
    private static final String DIRECTORY = "attention4j.jocl.directory";

    private static final String TEMPORARY = "attention4j-native";

    private static volatile Outcome outcome;

    private NativeLibrary() {}

    /**
     * Loads the library if that has not been tried yet, or if it could not be unpacked when it was: a disk may have room
     * again.
     *
     * @return the same outcome each time, once it could be unpacked
     */
    public static Outcome load() {
        Outcome known = outcome;
        return known != null ? known : SignalHandlers.keepWhileLoading(NativeLibrary::loadOnce);
    }

    /** Run by one thread at a time. */
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

    /** The library's file name, as JOCL makes it up; empty where it has none. */
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

    /** A way to a directory to unpack to. */
    private interface DirectorySource {
        Path get() throws IOException;
    }

    /**
     * Where the library may be unpacked to.
     *
     * @param place names it in an error
     * @param source makes it
     * @param once true if nobody needs it after the library is loaded
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

    /** Removes a library of a fresh directory; a loaded one goes on working without its file, but not on Windows. */
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
            LOG.warn("JOCL's native library is left behind: {}", e.toString());
        }
    }

    /**
     * Puts the library into a directory of this user's; what lies there already stays only if it is just that, and
     * safe.
     */
    static void place(Path directory, String file, byte[] bytes) throws IOException {
        Path target = directory.resolve(file);
        if (!isInPlace(target, bytes)) {
            UserDirectory.replace(target, bytes);
        }
        // While another directory can still be tried: once JOCL's class has failed to initialise, this JVM has no
        // second attempt. Loading the library here to find out is no way: its JNI_OnLoad initialises that class.
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

    /** Of JOCL's message, two stack traces below a headline, what went wrong when it loaded the unpacked file. */
    static Optional<String> reason(String message) {
        return message.lines()
                .dropWhile(line -> !line.contains("load the library as a resource"))
                .skip(1)
                .findFirst()
                .map(String::strip);
    }

    private static String firstLine(Throwable e) {
        if (e instanceof FileSystemException failed && failed.getReason() != null) {
            // Else the message begins with a path, of a temporary name each time another.
            return failed.getReason();
        }
        String message = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        return e instanceof UnsatisfiedLinkError || e.getClass() == IOException.class
                ? message
                : e.getClass().getSimpleName() + ": " + message;
    }
}
