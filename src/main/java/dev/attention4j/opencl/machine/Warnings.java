package dev.attention4j.opencl.machine;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;

/** Logs a warning once in a JVM, however many engines meet its cause. */
public final class Warnings {
    /** After this many they are forgotten, which bounds the memory of a program that runs for years. */
    private static final int MOST = 1000;

    private static final Set<String> LOGGED = ConcurrentHashMap.newKeySet();

    private Warnings() {}

    /** Logs a warning the first time that it is given. */
    public static void once(Logger log, String warning) {
        if (LOGGED.size() >= MOST) {
            LOGGED.clear();
        }
        if (LOGGED.add(warning)) {
            log.warn("{}", warning);
        }
    }
}
