package dev.attention4j.conformance;

import static dev.attention4j.io.FileFormatException.quoted;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A JSON object in a case's metadata, of which every entry must be known. */
final class CaseJson {
    private final String file;
    private final String what;
    private final Map<String, Object> entries;

    private CaseJson(String file, String what, Map<String, Object> entries) {
        this.file = file;
        this.what = what;
        this.entries = entries;
    }

    /**
     * Understands an object.
     *
     * @param json null for an empty one
     * @param file what messages begin with
     * @param what the object, as messages call it: {@code attributes}, say
     * @param known the names that its entries may have
     * @throws FileFormatException if it is no object, or has an entry that is not known; names it
     */
    static CaseJson parse(String json, String file, String what, List<String> known) throws FileFormatException {
        Map<String, Object> entries = json == null ? Map.of() : object(json, file, what);
        for (String name : entries.keySet()) {
            if (!known.contains(name)) {
                throw new FileFormatException(
                        file, what + ": " + quoted(name) + " is not known, must be one of " + known);
            }
        }
        return new CaseJson(file, what, entries);
    }

    /** Whether there is such an entry, and it is not null. */
    boolean has(String name) {
        return entries.get(name) != null;
    }

    boolean flag(String name) throws FileFormatException {
        if (!has(name)) {
            return false;
        }
        if (entries.get(name) instanceof Boolean is) {
            return is;
        }
        throw refused(name, "true or false");
    }

    int whole(String name) throws FileFormatException {
        if (entries.get(name) instanceof Integer whole) {
            return whole;
        }
        throw refused(name, "a whole number");
    }

    /** One whole number, or an array of such. */
    int[] wholeNumbers(String name) throws FileFormatException {
        Object given = entries.get(name);
        List<?> list = given instanceof List<?> many ? many : Arrays.asList(given);
        int[] numbers = new int[list.size()];
        for (int n = 0; n < numbers.length; n++) {
            if (!(list.get(n) instanceof Integer whole)) {
                throw refused(name, "a whole number or an array of such");
            }
            numbers[n] = whole;
        }
        return numbers;
    }

    private FileFormatException refused(String name, String mustBe) {
        return new FileFormatException(
                file,
                what + ": \"" + name + "\" is " + quoted(String.valueOf(entries.get(name))) + ", must be " + mustBe);
    }

    /**
     * The entries of an object, known or not.
     *
     * @throws FileFormatException if it is no object, or names an entry twice
     */
    static Map<String, Object> object(String json, String file, String what) throws FileFormatException {
        String problem = what + ": " + quoted(json) + ", must be one JSON object";
        try (JsonParser parser = JSON.std.createParser(json)) {
            Map<String, Object> entries = JSON.std.mapFrom(parser);
            if (entries == null || parser.nextToken() != null) {
                throw new FileFormatException(file, problem);
            }
            return entries;
        } catch (FileFormatException e) {
            throw e;
        } catch (JsonProcessingException e) {
            throw new FileFormatException(file, problem + ": " + quoted(e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new FileFormatException(file, what + ": it cannot be read: " + e.getMessage(), e);
        }
    }
}
