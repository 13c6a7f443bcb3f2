package dev.attention4j.opencl.machine;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * PoCL's demands on the machine: a cache directory, a linker and a core for each thread. They are checked before PoCL is
 * used, because without cache or linker it ends the process.
 */
public final class Pocl {
    private static final String PLATFORM = "Portable Computing Language";

    private static final String CACHE = "POCL_CACHE_DIR";

    /** This library's kernels take a megabyte or two, and as much again while they are compiled. */
    private static final long LEAST_ROOM = 8L << 20;

    private static final String LINKER = "ld";

    /** Later versions link by themselves. */
    private static final int LAST_WITH_LINKER = 5;

    private static final Pattern VERSION = Pattern.compile("pocl (\\d+)\\.", Pattern.CASE_INSENSITIVE);

    /** Has PoCL pin its threads. */
    private static final String AFFINITY = "POCL_AFFINITY";

    /** The number of PoCL's threads; by default one for each core. */
    private static final String THREADS = "POCL_MAX_PTHREAD_COUNT";

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path ONLINE = Path.of("/sys/devices/system/cpu/online");
    private static final Path TASKS = Path.of("/proc/self/task");
    private static final Duration MOST_WAIT = Duration.ofMillis(50);
    private static final Duration POLL = Duration.ofMillis(1);
    private static final String ALLOWED = "Cpus_allowed_list:";

    private Pocl() {}

    /** Returns whether a platform is PoCL's. */
    public static boolean isPlatform(String platformName) {
        return platformName.equals(PLATFORM);
    }

    /** Returns whether PoCL would end the process when it is asked for platforms: PoCL 3.1 does for an empty cache name. */
    public static boolean endsTheProcess(Map<String, String> environment) {
        return "".equals(environment.get(CACHE))
                && RegisteredDrivers.find(environment).stream().anyMatch(RegisteredDrivers.Driver::isPocl);
    }

    /**
     * Returns why PoCL cannot use its cache, in which it keeps and runs what it compiled, one clause; empty if it can.
     * Where it cannot write, it has no device; where nothing can be executed, or the disk is full, it ends the process;
     * where other users can write, it runs their code.
     */
    public static Optional<String> whyNoCache(Map<String, String> environment) {
        Path directory;
        try {
            directory = cache(environment);
        } catch (InvalidPathException e) {
            return Optional.of(
                    "Java cannot name PoCL's cache in this locale, with LC_ALL=C.UTF-8 it can: " + e.getMessage());
        }
        try {
            Files.createDirectories(directory);
            Path probe = Files.createTempFile(directory, "attention4j", ".probe");
            try {
                UserDirectory.makeExecutable(probe);
                if (UserDirectory.isPosix(probe)) {
                    checkOthers(directory.toRealPath(), probe);
                }
            } finally {
                Files.delete(probe);
            }
            long room = Files.getFileStore(directory).getUsableSpace();
            return room >= LEAST_ROOM
                    ? Optional.empty()
                    : Optional.of("PoCL ends the process if the disk of its cache, " + directory + ", gets full: "
                            + (room >> 10) + " KiB are left, " + (LEAST_ROOM >> 20) + " MiB must be");
        } catch (IOException e) {
            // Of the file system's exceptions only the class tells the reason.
            return Optional.of("PoCL cannot keep what it compiles in " + directory + ": "
                    + (e instanceof FileSystemException ? e.toString() : e.getMessage()));
        }
    }

    /** Others must not write. The user's group may: often no one else is in it. */
    private static void checkOthers(Path directory, Path probe) throws IOException {
        UserDirectory.checkOwner(directory, probe);
        if (Files.getPosixFilePermissions(directory).contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IOException("everybody can write there (chmod 700 it)");
        }
    }

    /** The cache's directory, found as {@code pocl_cache_init_topdir} does. */
    static Path cache(Map<String, String> environment) {
        String chosen = environment.get(CACHE);
        if (chosen != null) {
            return Path.of(chosen);
        }
        String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
        if (!xdg.isEmpty()) {
            return Path.of(xdg, "pocl", "kcache");
        }
        String home = environment.get("HOME");
        return home != null ? Path.of(home, ".cache", "pocl", "kcache") : Path.of("/tmp", "pocl", "kcache");
    }

    /**
     * Returns why PoCL cannot link what it compiled, one clause; empty if it can. Without the program {@code ld} it
     * ends the process at the first kernel.
     */
    public static Optional<String> whyNoLinker(Map<String, String> environment, String platformVersion) {
        Matcher version = VERSION.matcher(platformVersion);
        if (!version.find() || Integer.parseInt(version.group(1)) > LAST_WITH_LINKER) {
            return Optional.empty();
        }
        String path = environment.getOrDefault("PATH", "");
        for (String directory : path.split(File.pathSeparator, -1)) {
            if (!directory.isEmpty() && hasLinker(directory)) {
                return Optional.empty();
            }
        }
        return Optional.of(
                "PoCL ends the process without the linker ld (of binutils), which is in no directory of PATH=" + path);
    }

    private static boolean hasLinker(String directory) {
        try {
            Path linker = Path.of(directory, LINKER);
            return Files.isRegularFile(linker) && Files.isExecutable(linker);
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /**
     * Runs a search for devices, which starts PoCL's threads, and has PoCL pin each thread to a core of its own, on Linux.
     *
     * <p>Otherwise the scheduler sometimes wakes two threads on one core and leaves them there for a hundred calls: 325
     * instead of 185 µs for 12 heads of 128 tokens on two cores. PoCL pins threads if the environment says {@code
     * POCL_AFFINITY=1} when they start, thread n to core n.
     *
     * <p>The variable is set before the first driver is loaded, and removed when the threads have read it. Java's view of the
     * environment is a copy made at its start: neither {@code System.getenv} nor child processes see the variable. Native code
     * that reads the environment in another thread at that moment could meet it half changed, as with any {@code setenv}.
     *
     * <p>Threads are not pinned if the user has set the variable, if no PoCL is registered, or if one is loaded already. Nor
     * are they where a thread could get a core that this process may not use, for which PoCL would end the process: if the
     * user has set the number of threads, if only some cores are allowed, or if their numbers have gaps.
     */
    public static <T> T pinned(Supplier<T> search) {
        Optional<CLibrary> library = SignalHandlers.areAtRisk()
                        && mayPin(System.getenv(), STATUS, ONLINE)
                        && SignalHandlers.loaded("libpocl").isEmpty()
                ? CLibrary.load()
                : Optional.empty();
        if (library.isEmpty()) {
            return search.get();
        }
        Set<String> before = threads();
        library.get().setEnvironment(AFFINITY, "1");
        try {
            T found = search.get();
            waitForPinned(before);
            return found;
        } finally {
            library.get().unsetEnvironment(AFFINITY);
        }
    }

    /** Waits, since each of PoCL's threads reads the variable when it starts. */
    private static void waitForPinned(Set<String> before) {
        long end = System.nanoTime() + MOST_WAIT.toNanos();
        while (System.nanoTime() < end
                && !SignalHandlers.loaded("libpocl").isEmpty()
                && pinnedSince(before) < cores()) {
            LockSupport.parkNanos(POLL.toNanos());
        }
    }

    /** Returns how many threads of this process that were not there before may run on one core only. */
    static long pinnedSince(Set<String> before) {
        return threads().stream()
                .filter(thread -> !before.contains(thread))
                .filter(thread ->
                        allowed(TASKS.resolve(thread).resolve("status")).matches("\\d+"))
                .count();
    }

    private static Set<String> threads() {
        String[] names = TASKS.toFile().list();
        return names == null ? Set.of() : Set.of(names);
    }

    static boolean mayPin(Map<String, String> environment, Path status, Path online) {
        String all = online(online);
        return !environment.containsKey(AFFINITY)
                && !environment.containsKey(THREADS)
                && all.matches("0(-\\d+)?")
                && allowed(status).equals(all);
    }

    private static int cores() {
        String all = online(ONLINE);
        return 1 + Integer.parseInt(all.substring(all.indexOf('-') + 1));
    }

    private static String online(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            return "";
        }
    }

    /** The cores on which a thread may run, as Linux writes them; empty where that cannot be read. */
    private static String allowed(Path status) {
        try (Stream<String> lines = Files.lines(status, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.startsWith(ALLOWED))
                    .map(line -> line.substring(ALLOWED.length()).strip())
                    .findFirst()
                    .orElse("");
        } catch (IOException | UncheckedIOException e) {
            // The thread has ended.
            return "";
        }
    }
}
