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
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;
import java.util.function.IntConsumer;

/**
 * JSON in a case's metadata: a flat object of attributes, read by name and type, with refusals that name the attribute.
 */
record JsonAttributes(String file, String each, Map<String, Object> attributes) {
    /** JSON has no infinities. */
    private static final String MINUS_INFINITY = "-inf";

    /**
     * Reads an object.
     *
     * @param each what refusals call one of them: {@code attribute}, say
     */
    static JsonAttributes parse(String json, String file, String each, List<String> known) throws FileFormatException {
        Map<String, Object> attributes = json == null ? Map.of() : object(json, file, each);
        for (String name : attributes.keySet()) {
            if (!known.contains(name)) {
                throw new FileFormatException(
                        file, each + " " + quoted(name) + " is not known, must be one of " + known);
            }
        }
        return new JsonAttributes(file, each, attributes);
    }

    boolean has(String name) {
        return attributes.containsKey(name);
    }

    /** Returns true if it is there and not null. */
    boolean isGiven(String name) {
        return attributes.get(name) != null;
    }

    /** The attribute as JSON has it. */
    Object getOrDefault(String name, Object whereAbsent) {
        return attributes.getOrDefault(name, whereAbsent);
    }

    /** False where it is absent or null. */
    boolean flag(String name) throws FileFormatException {
        Object given = attributes.get(name);
        if (given == null || given instanceof Boolean) {
            return Boolean.TRUE.equals(given);
        }
        throw refused(name, "true or false");
    }

    /** Gives a number to its setter; nothing where it is absent, as the others below. */
    void number(String name, DoubleConsumer setter) throws FileFormatException {
        if (attributes.get(name) instanceof Number number) {
            setter.accept(number.doubleValue());
        } else if (has(name)) {
            throw refused(name, "a number");
        }
    }

    void wholeNumber(String name, IntConsumer setter) throws FileFormatException {
        if (has(name)) {
            setter.accept(wholeNumber(name));
        }
    }

    void wholeNumbers(String name, Consumer<int[]> setter) throws FileFormatException {
        if (has(name)) {
            setter.accept(wholeNumbers(name));
        }
    }

    int wholeNumber(String name) throws FileFormatException {
        if (attributes.get(name) instanceof Integer number) {
            return number;
        }
        throw refused(name, "a whole number");
    }

    int[] wholeNumbers(String name) throws FileFormatException {
        List<?> list = list(name);
        int[] numbers = new int[list.size()];
        for (int n = 0; n < numbers.length; n++) {
            if (!(list.get(n) instanceof Integer whole)) {
                throw refused(name, "a whole number or an array of such");
            }
            numbers[n] = whole;
        }
        return numbers;
    }

    void floats(String name, Consumer<float[]> setter) throws FileFormatException {
        if (!has(name)) {
            return;
        }
        List<?> list = list(name);
        float[] numbers = new float[list.size()];
        for (int n = 0; n < numbers.length; n++) {
            if (list.get(n) instanceof Number number) {
                numbers[n] = number.floatValue();
            } else if (MINUS_INFINITY.equals(list.get(n))) {
                numbers[n] = Float.NEGATIVE_INFINITY;
            } else {
                throw refused(name, "a number or an array of such (\"" + MINUS_INFINITY + "\" is one)");
            }
        }
        setter.accept(numbers);
    }

    FileFormatException refused(String name, String mustBe) {
        return new FileFormatException(
                file,
                each + " \"" + name + "\" is " + quoted(String.valueOf(attributes.get(name))) + ", must be " + mustBe);
    }

    /** One element stands for an array of one. */
    private List<?> list(String name) {
        Object given = attributes.get(name);
        return given instanceof List<?> many ? many : Arrays.asList(given);
    }

    private static Map<String, Object> object(String json, String file, String each) throws FileFormatException {
        return read(json, file, each + "s are ", "one JSON object", JSON.std::mapFrom);
    }

    /** Reads an array of texts. */
    static List<String> texts(String what, String json, String file) throws FileFormatException {
        String mustBe = "one JSON array of texts";
        if (json == null) {
            throw new FileFormatException(file, "__metadata__ has no \"" + what + "\", must be " + mustBe);
        }
        List<Object> list = read(json, file, "\"" + what + "\" is ", mustBe, JSON.std::listFrom);
        for (Object element : list) {
            if (!(element instanceof String)) {
                throw new FileFormatException(file, "\"" + what + "\" is " + quoted(json) + ", must be " + mustBe);
            }
        }
        return list.stream().map(String.class::cast).toList();
    }

    @FunctionalInterface
    private interface Reader<T> {
        T read(JsonParser parser) throws IOException;
    }

    private static <T> T read(String json, String file, String what, String mustBe, Reader<T> reader)
            throws FileFormatException {
        try (JsonParser parser = JSON.std.createParser(json)) {
            T value = reader.read(parser);
            if (value == null || parser.nextToken() != null) {
                throw new FileFormatException(file, what + quoted(json) + ", must be " + mustBe);
            }
            return value;
        } catch (FileFormatException e) {
            throw e;
        } catch (JsonProcessingException e) {
            throw new FileFormatException(
                    file, what + quoted(json) + ", must be " + mustBe + ": " + quoted(e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new FileFormatException(file, what + "not readable: " + e.getMessage(), e);
        }
    }
}
