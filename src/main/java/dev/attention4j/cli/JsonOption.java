package dev.attention4j.cli;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.EngineInfo;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code --json}: writes what a command found for a program to read. */
final class JsonOption {
    private static final Path STANDARD_OUTPUT = Path.of("-");

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--json",
            paramLabel = "FILE",
            description =
                    "Also writes all of it to FILE as JSON; with - to standard output, and the text goes to standard"
                            + " error.")
    private Path file;

    /** The file, for {@link OutputFile#checkDistinct}; null if there is none. */
    Path file() {
        return isStandardOutput() ? null : file;
    }

    /** Refuses a file that cannot be written. */
    void check() {
        OutputFile.check("--json", file());
    }

    private boolean isStandardOutput() {
        return STANDARD_OUTPUT.equals(file);
    }

    /** The writer of the text for people. */
    PrintWriter screen() {
        return isStandardOutput() ? errors() : command.commandLine().getOut();
    }

    /** Standard error. */
    PrintWriter errors() {
        return command.commandLine().getErr();
    }

    /**
     * Writes version, date and what was found, if it was asked for: maps, lists, texts, numbers and booleans, indented;
     * anything else as its text, and numbers that JSON has not (NaN, infinities) as null.
     */
    void write(Map<String, ?> found) throws IOException {
        if (file == null) {
            return;
        }
        Map<String, Object> all =
                fields("version", Main.versionNumber(), "date", Instant.now().truncatedTo(ChronoUnit.SECONDS));
        all.putAll(found);
        String json = JSON.std
                        .with(JSON.Feature.PRETTY_PRINT_OUTPUT)
                        .with(JSON.Feature.WRITE_NULL_PROPERTIES)
                        .asString(plain(all))
                + "\n";
        if (isStandardOutput()) {
            PrintWriter out = command.commandLine().getOut();
            out.print(json);
            out.flush();
            return;
        }
        OutputFile.write(file, target -> Files.write(target, json.getBytes(StandardCharsets.UTF_8)));
        screen().println("Written to " + file);
    }

    /** A JSON object of names and values in turns. */
    static Map<String, Object> fields(Object... namesAndValues) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (int n = 0; n < namesAndValues.length; n += 2) {
            fields.put((String) namesAndValues[n], namesAndValues[n + 1]);
        }
        return fields;
    }

    /** An engine as JSON, without its facts. */
    static Map<String, Object> fields(EngineInfo engine) {
        return fields("id", engine.id(), "name", engine.name(), "vendor", engine.vendor(), "driver", engine.driver());
    }

    private static Object plain(Object found) {
        if (found instanceof Map<?, ?> map) {
            Map<String, Object> plain = new LinkedHashMap<>();
            map.forEach((key, value) -> plain.put(String.valueOf(key), plain(value)));
            return plain;
        }
        if (found instanceof Collection<?> collection) {
            List<Object> plain = new ArrayList<>();
            collection.forEach(element -> plain.add(plain(element)));
            return plain;
        }
        if (found instanceof Number number && !Double.isFinite(number.doubleValue())) {
            return null;
        }
        return found == null || found instanceof Number || found instanceof Boolean ? found : found.toString();
    }
}
