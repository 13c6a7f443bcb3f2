package dev.attention4j;

import java.nio.file.Path;
import java.util.Objects;

/**
 * The source of tunables that were measured to be fast on an engine's device.
 *
 * @param source the entries to use
 * @param file the user's entries with {@link Source#USER}, in a directory that only this user can write; null for
 *     {@code tuning.json} in the user's cache directory
 */
public record Tuning(Source source, Path file) {
    /** The entries to use. */
    public enum Source {
        /** None: each device gets the defaults of its class. */
        NONE,
        /** The entries that ship with the library. */
        SHIPPED,
        /** The user's own entries, which the command {@code tune} writes, before those that ship. */
        USER
    }

    /** No measured entries. */
    public static final Tuning OFF = new Tuning(Source.NONE, null);

    /** The entries that ship with the library, without the user's. */
    public static final Tuning SHIPPED = new Tuning(Source.SHIPPED, null);

    /** The user's entries, before those that ship with the library. */
    public static final Tuning DEFAULT = new Tuning(Source.USER, null);

    /**
     * Refuses a file that would not be read.
     *
     * @throws IllegalArgumentException if there is one and the source is not {@link Source#USER}
     */
    public Tuning {
        Objects.requireNonNull(source, "source");
        if (file != null && source != Source.USER) {
            throw new IllegalArgumentException("file: " + file + ", must be null unless the user's entries are read");
        }
    }

    /**
     * Reads the user's entries from another file than the usual one.
     *
     * @param file need not be there yet
     * @return before the entries that ship with the library
     */
    public static Tuning in(Path file) {
        return new Tuning(Source.USER, Objects.requireNonNull(file, "file"));
    }
}
