package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Keeps PoCL's threads each on a core of its own, on Linux.
 *
 * <p>Left to itself the scheduler now and then wakes both on one core and leaves them there for a hundred calls, of which
 * each then takes as long as on one core: 325 instead of 185 µs for 12 heads of 128 tokens on two cores. PoCL pins them
 * where the environment of the process says {@code POCL_AFFINITY=1} when it makes them, thread n to core n.
 *
 * <p>So the variable is set before the first driver is loaded, and removed when the threads have read it. Java's own view
 * of the environment is a copy made at its start: neither {@code System.getenv} nor a child process sees the variable.
 * Native code in another thread that reads the environment in just that moment could meet it half changed, as after any
 * {@code setenv}; it is changed once in a process, and not at all if PoCL is loaded already.
 */
final class PoclThreads {
    /** The variable that PoCL reads. */
    private static final String AFFINITY = "POCL_AFFINITY";

    /** As many threads as PoCL is to make; by default one for each core. */
    private static final String COUNT = "POCL_MAX_PTHREAD_COUNT";

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path ONLINE = Path.of("/sys/devices/system/cpu/online");
    private static final Path TASKS = Path.of("/proc/self/task");
    private static final Duration MOST_WAIT = Duration.ofMillis(50);
    private static final Duration POLL = Duration.ofMillis(1);
    private static final String ALLOWED = "Cpus_allowed_list:";

    private PoclThreads() {}

    /**
     * Looks for devices, which makes PoCL's threads, and has PoCL pin them.
     *
     * <p>It does not if the user has set the variable, if no PoCL is registered or one is loaded already, or if there may
     * be a thread whose core this process cannot have, which PoCL would end it for: with a number of threads of the user's,
     * with only some of the machine's cores, or with gaps in their numbers.
     */
    static <T> T pinned(Supplier<T> search) {
        Optional<CLibrary> library = SignalHandlers.areAtRisk()
                        && mayPin(System.getenv(), STATUS, ONLINE)
                        && SignalHandlers.loaded("libpocl").isEmpty()
                ? CLibrary.load()
                : Optional.empty();
        if (library.isEmpty()) {
            return search.get();
        }
        Set<String> others = threads();
        library.get().setEnvironment(AFFINITY, "1");
        try {
            T found = search.get();
            waitForPinned(others);
            return found;
        } finally {
            library.get().unsetEnvironment(AFFINITY);
        }
    }

    /** Each of PoCL's threads reads the variable by itself, when it starts. */
    private static void waitForPinned(Set<String> others) {
        long end = System.nanoTime() + MOST_WAIT.toNanos();
        while (System.nanoTime() < end
                && SignalHandlers.loaded("libpocl").size() > 0
                && pinnedBeside(others) < cores()) {
            LockSupport.parkNanos(POLL.toNanos());
        }
    }

    /** How many threads of this process that are not among others may run on one core only. */
    static long pinnedBeside(Set<String> others) {
        return threads().stream()
                .filter(thread -> !others.contains(thread))
                .filter(thread ->
                        allowed(TASKS.resolve(thread).resolve("status")).matches("\\d+"))
                .count();
    }

    private static Set<String> threads() {
        String[] names = TASKS.toFile().list();
        return names == null ? Set.of() : Set.of(names);
    }

    static boolean mayPin(Map<String, String> environment, Path status, Path online) {
        return !environment.containsKey(AFFINITY) && !environment.containsKey(COUNT) && hasAllCores(status, online);
    }

    private static boolean hasAllCores(Path status, Path online) {
        String all = online(online);
        return all.matches("0(-\\d+)?") && allowed(status).equals(all);
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

    /** The cores on which a thread may run, as the kernel writes them; empty where that cannot be read. */
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
