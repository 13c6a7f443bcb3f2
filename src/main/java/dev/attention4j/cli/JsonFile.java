package dev.attention4j.cli;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes what a command found as JSON. */
final class JsonFile {
    private JsonFile() {}

    /**
     * Writes maps, lists, texts, numbers and booleans, indented; anything else as its text.
     *
     * @throws IOException if the file cannot be written
     */
    static void write(Path file, Object found) throws IOException {
        String json = JSON.std.with(JSON.Feature.PRETTY_PRINT_OUTPUT).asString(plain(found));
        Files.write(file, (json + "\n").getBytes(StandardCharsets.UTF_8));
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
        if (found instanceof Double number && !Double.isFinite(number)) {
            return number.toString();
        }
        return found == null || found instanceof Number || found instanceof Boolean ? found : found.toString();
    }
}
