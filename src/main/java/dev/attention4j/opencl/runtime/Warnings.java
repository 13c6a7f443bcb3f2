package dev.attention4j.opencl.runtime;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;

/** Warnings that are logged once in a JVM, however many engines meet their cause. */
public final class Warnings {
    /** From here on they are forgotten, so that a program that runs for years keeps no more. */
    private static final int MOST = 1000;

    private static final Set<String> LOGGED = ConcurrentHashMap.newKeySet();

    private Warnings() {}

    /**
     * Logs a warning, the first time that it is given.
     *
     * @param log of the class that warns
     * @param warning the whole text
     */
    public static void once(Logger log, String warning) {
        if (LOGGED.size() >= MOST) {
            LOGGED.clear();
        }
        if (LOGGED.add(warning)) {
            log.warn("{}", warning);
        }
    }
}
