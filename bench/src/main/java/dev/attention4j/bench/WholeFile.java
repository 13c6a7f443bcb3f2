package dev.attention4j.bench;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;

/** Writes files that appear whole or not at all: a long run that is stopped leaves the last one. */
public final class WholeFile {
    private WholeFile() {}

    /** Writes maps, lists, texts and numbers as JSON. */
    static void writeJson(Path file, Map<String, Object> report) throws IOException {
        write(
                file,
                JSON.std
                                .with(JSON.Feature.PRETTY_PRINT_OUTPUT, JSON.Feature.WRITE_NULL_PROPERTIES)
                                .asString(report)
                        + "\n");
    }

    /** Writes text in UTF-8. */
    public static void write(Path file, String text) throws IOException {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Files.writeString(part, text);
        Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
    }
}
