package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Whether PoCL's threads may be kept each on a core of its own, on Linux.
 *
 * <p>Left to itself the scheduler now and then wakes both on one core and leaves them there for a hundred calls, of which
 * each then takes as long as on one core: 325 instead of 185 µs for 12 heads of 128 tokens on two cores. PoCL pins them
 * where the environment says {@code POCL_AFFINITY=1} before a JVM starts, thread n to core n.
 */
public final class PoclThreads {
    /** The variable that PoCL reads. */
    public static final String AFFINITY = "POCL_AFFINITY";

    /** As many threads as PoCL is to make; by default one for each core. */
    private static final String COUNT = "POCL_MAX_PTHREAD_COUNT";

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path ONLINE = Path.of("/sys/devices/system/cpu/online");
    private static final String ALLOWED = "Cpus_allowed_list:";

    private PoclThreads() {}

    /**
     * The value of {@code POCL_AFFINITY} for another JVM.
     *
     * @return empty if the user has set one, if no PoCL is registered, or if there may be a thread whose core this process
     *     cannot have, which PoCL would end it for: with a number of threads of the user's, with only some of the
     *     machine's cores, or with gaps in their numbers
     */
    public static Optional<String> affinity() {
        return SignalHandlers.areReplaced() && mayPin(System.getenv(), STATUS, ONLINE)
                ? Optional.of("1")
                : Optional.empty();
    }

    static boolean mayPin(Map<String, String> environment, Path status, Path online) {
        return !environment.containsKey(AFFINITY) && !environment.containsKey(COUNT) && hasAllCores(status, online);
    }

    private static boolean hasAllCores(Path status, Path online) {
        try {
            List<String> lines = Files.readAllLines(status);
            String all = Files.readString(online).strip();
            return all.matches("0(-\\d+)?")
                    && lines.stream()
                            .filter(line -> line.startsWith(ALLOWED))
                            .anyMatch(line ->
                                    line.substring(ALLOWED.length()).strip().equals(all));
        } catch (IOException e) {
            return false;
        }
    }
}
