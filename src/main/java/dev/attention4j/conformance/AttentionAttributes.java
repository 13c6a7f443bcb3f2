package dev.attention4j.conformance;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.io.FileFormatException;
import java.util.Arrays;
import java.util.List;

/**
 * The metadata {@code attributes} of the op {@code attention}: a JSON object in the words of {@link Attention}.
 *
 * <ul>
 *   <li>{@code scale}, {@code softcap}: a number
 *   <li>{@code causal}: {@code "TOP_LEFT"} or {@code "BOTTOM_RIGHT"}; or {@code true}, aligned by {@code alignment} or
 *       {@code offsets}; or {@code false}
 *   <li>{@code window}: {@code [left, right]}, −1 is unbounded
 *   <li>{@code alignment}: {@code "TOP_LEFT"} or {@code "BOTTOM_RIGHT"}, of causal, window and ALiBi
 *   <li>{@code offsets}: a whole number, or one for each batch row or packed sequence, instead of an alignment
 *   <li>{@code keyLengths}: a whole number, or one for each batch row
 *   <li>{@code cumulativeQueryLengths} and {@code cumulativeKeyLengths}: where each packed sequence begins, and after
 *   the last where it ends
 *   <li>{@code alibiSlopes}: a number for each query head, or for each of them in each sequence
 *   <li>{@code sinks}: a number for each query head; the text {@code "-inf"} for one without
 * </ul>
 */
record AttentionAttributes(String file, JsonAttributes attributes) {
    private static final String QUERY_LENGTHS = "cumulativeQueryLengths";
    private static final String KEY_LENGTHS = "cumulativeKeyLengths";
    private static final List<String> KNOWN = List.of(
            "scale",
            "softcap",
            "causal",
            "window",
            "alignment",
            "offsets",
            "keyLengths",
            QUERY_LENGTHS,
            KEY_LENGTHS,
            "alibiSlopes",
            "sinks");

    /**
     * A builder with everything set that the attributes say.
     *
     * @throws FileFormatException if one is not known, not of its type, or contradicts another; names it
     */
    static AttentionBuilder parse(String json, String file) throws FileFormatException {
        AttentionAttributes attributes =
                new AttentionAttributes(file, JsonAttributes.parse(json, file, "attribute", KNOWN));
        try {
            AttentionBuilder builder = Attention.builder();
            attributes.setNumbers(builder);
            attributes.setLengths(builder);
            attributes.setBand(builder);
            return builder;
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(file, "attributes: " + e.getMessage(), e);
        }
    }

    private void setNumbers(AttentionBuilder builder) throws FileFormatException {
        attributes.number("scale", builder::scale);
        attributes.number("softcap", builder::softcap);
        attributes.floats("alibiSlopes", builder::alibiSlopes);
        attributes.floats("sinks", builder::sinks);
    }

    private void setLengths(AttentionBuilder builder) throws FileFormatException {
        attributes.wholeNumbers("keyLengths", builder::keyLengths);
        if (attributes.has(QUERY_LENGTHS) != attributes.has(KEY_LENGTHS)) {
            throw new FileFormatException(
                    file, "attributes: only one of " + QUERY_LENGTHS + " and " + KEY_LENGTHS + ", must be both");
        }
        if (attributes.has(QUERY_LENGTHS)) {
            builder.cumulativeLengths(attributes.wholeNumbers(QUERY_LENGTHS), attributes.wholeNumbers(KEY_LENGTHS));
        }
    }

    private void setBand(AttentionBuilder builder) throws FileFormatException {
        boolean windowed = attributes.has("window");
        if (windowed) {
            int[] window = attributes.wholeNumbers("window");
            if (window.length != 2) {
                throw attributes.refused("window", "[left, right]");
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
            throw attributes.refused("causal", "\"TOP_LEFT\", \"BOTTOM_RIGHT\", true or false");
        }
        align(builder, windowed || isCausal || attributes.has("alibiSlopes"), namesAlignment);
    }

    /** At most one of three may say which key a query is aligned to, and only if that matters. */
    private void align(AttentionBuilder builder, boolean positioned, boolean causalNamesAlignment)
            throws FileFormatException {
        boolean aligned = attributes.has("alignment");
        boolean offset = attributes.has("offsets");
        if ((aligned ? 1 : 0) + (offset ? 1 : 0) + (causalNamesAlignment ? 1 : 0) > 1) {
            throw new FileFormatException(
                    file,
                    "attributes: only one of alignment, offsets and a causal that names an alignment may be given"
                            + " (\"causal\": true goes with the others)");
        }
        if ((aligned || offset) && !positioned) {
            throw new FileFormatException(
                    file,
                    "attribute \"" + (aligned ? "alignment" : "offsets")
                            + "\" has no effect, must come with causal, window or alibiSlopes");
        }
        if (aligned) {
            builder.align(alignment("alignment"));
        }
        attributes.wholeNumbers("offsets", builder::alignOffsets);
    }

    private Alignment alignment(String name) throws FileFormatException {
        for (Alignment alignment : Alignment.values()) {
            if (alignment.name().equals(attributes.getOrDefault(name, null))) {
                return alignment;
            }
        }
        throw attributes.refused(name, "one of " + Arrays.toString(Alignment.values()));
    }
}
