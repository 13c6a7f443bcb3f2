package dev.attention4j;

import java.nio.file.Path;
import java.util.Objects;

/**
 * Where an engine looks for tiles that were measured to be fast on its device.
 *
 * @param source how far it looks
 * @param file the user's entries with {@link Source#USER}, in a directory that only this user can write; null for
 *     {@code tuning.json} in the user's cache directory
 */
public record Tuning(Source source, Path file) {
    /** How far to look. */
    public enum Source {
        /** Nowhere: each device gets what suits its class. */
        NONE,
        /** What ships with the library. */
        SHIPPED,
        /** The user's own entries, which the command {@code tune} writes, before what ships. */
        USER
    }

    /** Nothing measured is used. */
    public static final Tuning OFF = new Tuning(Source.NONE, null);

    /** What ships with the library, whatever this user has measured. */
    public static final Tuning SHIPPED = new Tuning(Source.SHIPPED, null);

    /** What this user has measured, before what ships with the library. */
    public static final Tuning DEFAULT = new Tuning(Source.USER, null);

    /**
     * Refuses a file that nobody would read.
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
     * @return before what ships with the library
     */
    public static Tuning in(Path file) {
        return new Tuning(Source.USER, Objects.requireNonNull(file, "file"));
    }
}
