package dev.attention4j.cli;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Refuses a file that cannot be written before anything long runs. */
final class OutputFile {
    /** Writes one file. */
    interface Writing {
        void to(Path file) throws IOException;
    }

    private OutputFile() {}

    /** Refuses a file (unless null) that is a directory, is in none, or may not be written. */
    static void check(String option, Path file) {
        check(option, file, false);
    }

    /** As {@link #check(String, Path)}, and refuses a device or a pipe, which a new file cannot replace. */
    static void checkReplaced(String option, Path file) {
        check(option, file, true);
    }

    /** Refuses files, by option and null for none, of which a later one would overwrite an earlier one. */
    static void checkDistinct(Map<String, Path> files) throws IOException {
        Map<String, Path> seen = new LinkedHashMap<>();
        for (Map.Entry<String, Path> file : files.entrySet()) {
            if (file.getValue() == null) {
                continue;
            }
            for (Map.Entry<String, Path> other : seen.entrySet()) {
                if (isSame(file.getValue(), other.getValue())) {
                    throw new IllegalArgumentException(file.getKey() + ": " + file.getValue()
                            + ", must be another file than that of " + other.getKey());
                }
            }
            seen.put(file.getKey(), file.getValue());
        }
    }

    /** Links are followed: to the file if it is there, else to its folder. */
    private static boolean isSame(Path one, Path other) throws IOException {
        if (Files.exists(one) && Files.exists(other)) {
            return Files.isSameFile(one, other);
        }
        Path folder = one.toAbsolutePath().normalize().getParent();
        Path otherFolder = other.toAbsolutePath().normalize().getParent();
        return one.getFileName().equals(other.getFileName())
                && folder != null
                && otherFolder != null
                && (folder.equals(otherFolder)
                        || (Files.exists(folder)
                                && Files.exists(otherFolder)
                                && Files.isSameFile(folder, otherFolder)));
    }

    /** Writes a file; an error names it, as that of a full disk does not. */
    static void write(Path file, Writing writing) throws IOException {
        try {
            writing.to(file);
        } catch (FileSystemException e) {
            throw e;
        } catch (IOException e) {
            if (String.valueOf(e.getMessage()).startsWith(file.toString())) {
                throw e;
            }
            throw new IOException(file + ": cannot be written: " + e.getMessage(), e);
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
