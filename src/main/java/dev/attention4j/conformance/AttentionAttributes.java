package dev.attention4j.conformance;

import static dev.attention4j.io.FileFormatException.quoted;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.io.FileFormatException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The metadata {@code attributes} of the op {@code attention}: a JSON object in the words of {@link Attention}.
 *
 * <ul>
 *   <li>{@code scale}, {@code softcap}: a number
 *   <li>{@code causal}: {@code "TOP_LEFT"} or {@code "BOTTOM_RIGHT"}; or {@code true}, aligned by {@code alignment} or
 *       {@code offsets}; or {@code false}
 *   <li>{@code window}: {@code [left, right]}, −1 is unbounded
 *   <li>{@code alignment}: {@code "TOP_LEFT"} or {@code "BOTTOM_RIGHT"}, of causal and window
 *   <li>{@code offsets}: a whole number, or one for each batch row, instead of an alignment
 * </ul>
 */
final class AttentionAttributes {
    private static final List<String> KNOWN = List.of("scale", "softcap", "causal", "window", "alignment", "offsets");

    private final String file;
    private final Map<String, Object> attributes;

    private AttentionAttributes(String file, Map<String, Object> attributes) {
        this.file = file;
        this.attributes = attributes;
    }

    /**
     * A builder with everything set that the attributes say.
     *
     * @param json null for all defaults
     * @throws FileFormatException if one is not known, not of its type, or contradicts another; names it
     */
    static Attention.Builder parse(String json, String file) throws FileFormatException {
        Map<String, Object> attributes = json == null ? Map.of() : CaseJson.object(json, file, "attributes");
        for (String name : attributes.keySet()) {
            if (!KNOWN.contains(name)) {
                throw new FileFormatException(
                        file, "attribute " + quoted(name) + " is not known, must be one of " + KNOWN);
            }
        }
        try {
            return new AttentionAttributes(file, attributes).builder();
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(file, "attributes: " + e.getMessage(), e);
        }
    }

    private Attention.Builder builder() throws FileFormatException {
        Attention.Builder builder = Attention.builder();
        if (attributes.containsKey("scale")) {
            builder.scale(number("scale"));
        }
        if (attributes.containsKey("softcap")) {
            builder.softcap(number("softcap"));
        }
        boolean windowed = attributes.containsKey("window");
        if (windowed) {
            int[] window = wholeNumbers("window");
            if (window.length != 2) {
                throw refused("window", "[left, right]");
            }
            builder.window(window[0], window[1]);
        }
        Object causal = attributes.getOrDefault("causal", false);
        boolean isCausal = !Boolean.FALSE.equals(causal);
        boolean namesAlignment = causal instanceof String;
        if (namesAlignment) {
            builder.causal(alignment("causal"));
        } else if (Boolean.TRUE.equals(causal)) {
            builder.causal(Alignment.TOP_LEFT);
        } else if (isCausal) {
            throw refused("causal", "\"TOP_LEFT\", \"BOTTOM_RIGHT\", true or false");
        }
        return align(builder, windowed || isCausal, namesAlignment);
    }

    /** At most one of three may say where the diagonal lies, and only if there is one. */
    private Attention.Builder align(Attention.Builder builder, boolean banded, boolean causalNamesAlignment)
            throws FileFormatException {
        boolean aligned = attributes.containsKey("alignment");
        boolean offset = attributes.containsKey("offsets");
        if ((aligned ? 1 : 0) + (offset ? 1 : 0) + (causalNamesAlignment ? 1 : 0) > 1) {
            throw new FileFormatException(
                    file,
                    "attributes: only one of alignment, offsets and a causal that names an alignment may be given"
                            + " (\"causal\": true goes with the others)");
        }
        if ((aligned || offset) && !banded) {
            throw new FileFormatException(
                    file,
                    "attribute \"" + (aligned ? "alignment" : "offsets")
                            + "\" has no effect, must come with causal or window");
        }
        if (aligned) {
            builder.align(alignment("alignment"));
        }
        if (offset) {
            builder.alignOffsets(wholeNumbers("offsets"));
        }
        return builder;
    }

    private double number(String name) throws FileFormatException {
        if (attributes.get(name) instanceof Number number) {
            return number.doubleValue();
        }
        throw refused(name, "a number");
    }

    private Alignment alignment(String name) throws FileFormatException {
        for (Alignment alignment : Alignment.values()) {
            if (alignment.name().equals(attributes.get(name))) {
                return alignment;
            }
        }
        throw refused(name, "one of " + Arrays.toString(Alignment.values()));
    }

    private int[] wholeNumbers(String name) throws FileFormatException {
        Object given = attributes.get(name);
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
                "attribute \"" + name + "\" is " + quoted(String.valueOf(attributes.get(name))) + ", must be "
                        + mustBe);
    }
}
