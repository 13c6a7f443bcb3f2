package dev.attention4j.opencl.plan;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The macros of a plan's kernels that it is tuned by, such as tile sizes, and their values.
 *
 * <p>Written as {@code ROW_VECTORS=3,KEY_TILE=8}. Only the plan knows which names and values make sense, see
 * {@link TunableSpace}. Not a record, whose hash code would be computed in every call.
 */
public final class Tunables {
    /** Those of a plan that has none. */
    public static final Tunables NONE = new Tunables(Map.of());

    private static final Pattern NAME = Pattern.compile("[A-Z][A-Z0-9_]{0,63}");
    private static final Pattern ASSIGNMENT = Pattern.compile("\\s*(" + NAME + ")\\s*=\\s*(\\d{1,5})\\s*");
    private static final int LARGEST = 65_536;

    private final Map<String, Integer> values;
    private final int hash;

    /** Refuses names and values that could not be a macro of a kernel. */
    public Tunables(Map<String, Integer> values) {
        this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        hash = values.hashCode();
        values.forEach((name, value) -> {
            if (!NAME.matcher(name).matches() || value < 0 || value > LARGEST) {
                throw new IllegalArgumentException("tunables: " + name + "=" + value
                        + ", must be the name of a macro and a number of 0 to " + LARGEST);
            }
        });
    }

    /**
     * Reads what {@link #toString} writes; blanks around names and values are allowed.
     *
     * @throws IllegalArgumentException if it is written otherwise, or names a macro twice
     */
    public static Tunables parse(String text) {
        Map<String, Integer> values = new LinkedHashMap<>();
        for (String part : text.isBlank() ? new String[0] : text.split(",", -1)) {
            Matcher matcher = ASSIGNMENT.matcher(part);
            if (!matcher.matches() || values.put(matcher.group(1), Integer.parseInt(matcher.group(2))) != null) {
                throw new IllegalArgumentException(
                        "tunables: \"" + text + "\", must be NAME=NUMBER, separated by commas, each name once");
            }
        }
        return new Tunables(values);
    }

    /** The values of the macros, in the order to print them. */
    public Map<String, Integer> values() {
        return values;
    }

    public boolean isEmpty() {
        return values.isEmpty();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Tunables tunables && values.equals(tunables.values);
    }

    @Override
    public int hashCode() {
        return hash;
    }

    /**
     * Returns the value of a macro.
     *
     * @throws IllegalArgumentException if it is not there
     */
    public int get(String name) {
        Integer value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("tunables: " + this + ", must have " + name);
        }
        return value;
    }

    /** The names of the macros, in the order to print them. */
    public Set<String> names() {
        return values.keySet();
    }

    /** As {@link #parse} reads it. */
    @Override
    public String toString() {
        return values.entrySet().stream()
                .map(entry -> entry.getKey() + "=" + entry.getValue())
                .collect(Collectors.joining(","));
    }
}
