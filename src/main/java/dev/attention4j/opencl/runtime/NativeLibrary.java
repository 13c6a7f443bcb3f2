package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jocl.LibUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads JOCL's native library, once, and says what went wrong where it cannot be.
 *
 * <p>JOCL by itself unpacks to a predictable name in {@code java.io.tmpdir} and loads whatever lies there: on a shared
 * machine another user could plant a library, and two JVMs can meet a half-written one. So it is unpacked here first,
 * in one atomic step, into a directory that only this user can write, and JOCL is shown that directory while its class
 * {@code CL} initialises.
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

    private static final String TEMPORARY = "attention4j-native";

    private static volatile Outcome outcome;

    private NativeLibrary() {}

    /**
     * Loads the library if that has not been tried yet.
     *
     * @return the same outcome each time
     */
    public static Outcome load() {
        Outcome known = outcome;
        return known != null ? known : SignalHandlers.keepWhileLoading(NativeLibrary::loadOnce);
    }

    /** Run by one thread at a time. */
    private static Outcome loadOnce() {
        if (outcome == null) {
            outcome = tryLoad();
        }
        return outcome;
    }

    private static Outcome tryLoad() {
        String platform = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        String library;
        String file;
        try {
            library = LibUtils.createPlatformLibraryName("JOCL_2_0_6");
            file = LibUtils.createLibraryFileName(library);
        } catch (RuntimeException e) {
            return new Outcome(Status.NO_NATIVE, "JOCL does not know " + platform);
        }
        byte[] bytes;
        try (InputStream resource = LibUtils.class.getResourceAsStream("/lib/" + file)) {
            if (resource == null) {
                return new Outcome(Status.NO_NATIVE, "JOCL has no native library for " + platform + " (" + file + ")");
            }
            bytes = resource.readAllBytes();
        } catch (IOException e) {
            return new Outcome(Status.NOT_UNPACKED, "JOCL's native library cannot be read from its jar: " + e);
        }
        List<String> refusals = new ArrayList<>();
        Path own = UserDirectory.cache().resolve("native");
        Path shared = Path.of(System.getProperty("java.io.tmpdir"));
        for (Path candidate : List.of(own, shared)) {
            try {
                Path directory = candidate.equals(own) ? ensured(own) : freshIn(shared, file);
                place(directory, file, bytes);
                return initialise(directory);
            } catch (IOException | UnsatisfiedLinkError e) {
                refusals.add(candidate + ": " + firstLine(e));
            }
        }
        return new Outcome(
                Status.NOT_UNPACKED, "JOCL's native library cannot be unpacked: " + String.join("; ", refusals));
    }

    private static Path ensured(Path directory) throws IOException {
        UserDirectory.ensure(directory.getParent());
        return UserDirectory.ensure(directory);
    }

    /** A directory for this user alone inside one that all users write, gone with what is in it when the JVM ends. */
    private static Path freshIn(Path shared, String file) throws IOException {
        Path directory = Files.createTempDirectory(shared, TEMPORARY);
        UserDirectory.sweep(shared, TEMPORARY + "*", Duration.ofDays(1), directory);
        directory.toFile().deleteOnExit();
        directory.resolve(file).toFile().deleteOnExit();
        return directory;
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
        String previous = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", directory.toString());
        try {
            Class.forName("org.jocl.CL", true, NativeLibrary.class.getClassLoader());
            return new Outcome(Status.READY, "JOCL's native library loaded from " + directory);
        } catch (ClassNotFoundException | LinkageError e) {
            Throwable cause = e instanceof ExceptionInInitializerError && e.getCause() != null ? e.getCause() : e;
            String message = String.valueOf(cause.getMessage());
            if (message.contains("native OpenCL library")) {
                return new Outcome(Status.NO_LOADER, "no OpenCL loader (libOpenCL) on this machine");
            }
            return new Outcome(Status.NOT_UNPACKED, "JOCL's native library does not load: " + firstLine(cause));
        } finally {
            System.setProperty("java.io.tmpdir", previous);
        }
    }

    private static String firstLine(Throwable e) {
        String message = String.valueOf(e.getMessage());
        return e instanceof UnsatisfiedLinkError
                ? message.lines().findFirst().orElse("")
                : e.getClass().getSimpleName() + ": "
                        + message.lines().findFirst().orElse("");
    }
}
