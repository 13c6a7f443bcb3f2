package dev.attention4j.opencl.tuning;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.opencl.machine.Warnings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads and writes entries as JSON, shipped ones and the user's. */
final class TuningJson {
    private static final Logger LOG = LoggerFactory.getLogger(TuningJson.class);
    private static final String FORMAT = "attention4j tuning 1";

    private TuningJson() {}

    /**
     * The content of a file.
     *
     * @param entries the usable ones
     * @param others the others, unchanged: another version of this library may have written them
     */
    record Content(List<TuningEntry> entries, List<?> others) {
        static final Content NONE = new Content(List.of(), List.of());
    }

    /**
     * Reads entries. An unusable one is left out with a warning that names the file, because the others may be usable.
     *
     * @throws IOException if it is no JSON, or JSON of another format
     */
    static Content read(byte[] content, String where) throws IOException {
        Map<String, Object> all = parse(content);
        if (!FORMAT.equals(all.get("format"))) {
            throw new IOException("its format is " + all.get("format") + ", must be \"" + FORMAT + "\"");
        }
        if (!(all.get("entries") instanceof Collection<?> list)) {
            throw new IOException("it has no list of entries");
        }
        List<TuningEntry> entries = new ArrayList<>();
        List<Object> others = new ArrayList<>();
        int number = 0;
        for (Object element : list) {
            number++;
            try {
                if (!(element instanceof Map<?, ?> map)) {
                    throw new IllegalArgumentException("must be an object");
                }
                entries.add(TuningEntry.of(map));
            } catch (IllegalArgumentException e) {
                Warnings.once(LOG, where + ": entry " + number + " is ignored: " + e.getMessage());
                others.add(element);
            }
        }
        return new Content(entries, others);
    }

    private static Map<String, Object> parse(byte[] content) throws IOException {
        Map<String, Object> all;
        try {
            all = JSON.std.mapFrom(new String(content, StandardCharsets.UTF_8));
        } catch (RuntimeException e) {
            throw new IOException("it is no JSON object: " + e, e);
        }
        if (all == null) {
            throw new IOException("it is null, must be a JSON object");
        }
        return all;
    }

    static byte[] write(Content content) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("format", FORMAT);
        List<Object> entries = new ArrayList<>();
        content.entries().forEach(entry -> entries.add(entry.toMap()));
        entries.addAll(content.others());
        all.put("entries", entries);
        try {
            return (JSON.std.with(JSON.Feature.PRETTY_PRINT_OUTPUT).asString(all) + "\n")
                    .getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
