package dev.attention4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** Refuses a file that cannot be written before anything long runs. */
final class OutputFile {
    private OutputFile() {}

    /**
     * Checks a file that an option names.
     *
     * @param option as the user types it
     * @param file null for none
     * @throws IllegalArgumentException if it is a directory, is in none, or may not be written
     */
    static void check(String option, Path file) {
        check(option, file, false);
    }

    /**
     * As {@link #check(String, Path)}, of a file that a new one takes the place of: no device, no pipe.
     *
     * @throws IllegalArgumentException if it is one
     */
    static void checkReplaced(String option, Path file) {
        check(option, file, true);
    }

    /**
     * Refuses files of which a later one would overwrite an earlier one.
     *
     * @param files null for none
     * @throws IllegalArgumentException if two are the same
     */
    static void checkDistinct(Path... files) {
        Set<Path> seen = new HashSet<>();
        for (Path file : files) {
            if (file != null && !seen.add(file.toAbsolutePath().normalize())) {
                throw new IllegalArgumentException(file + ": given for two outputs, must be another file for each");
            }
        }
    }

    private static void check(String option, Path file, boolean replaced) {
        if (file == null) {
            return;
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new IllegalArgumentException(option + ": " + file + ", must be in a directory that exists");
        }
        if (Files.isDirectory(file)
                || (replaced && Files.exists(file) && !Files.isRegularFile(file))
                || !Files.isWritable(Files.exists(file) && !replaced ? file : folder)) {
            throw new IllegalArgumentException(option + ": " + file + ", must be a file that may be written");
        }
    }
}
