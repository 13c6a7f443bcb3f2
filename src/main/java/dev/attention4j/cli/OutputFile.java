package dev.attention4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;

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
        if (file == null) {
            return;
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new IllegalArgumentException(option + ": " + file + ", must be in a directory that exists");
        }
        if (Files.isDirectory(file) || !Files.isWritable(Files.exists(file) ? file : folder)) {
            throw new IllegalArgumentException(option + ": " + file + ", must be a file that may be written");
        }
    }
}
