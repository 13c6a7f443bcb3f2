package dev.attention4j.opencl.plan;

import java.util.Objects;

/**
 * A plan and its tunables, written as {@code rows} or {@code rows:ROW_VECTORS=3,KEY_TILE=8}.
 *
 * @param plan the plan's name
 * @param tunables {@link Tunables#NONE} in a text that leaves them to the engine
 */
public record Variant(String plan, Tunables tunables) {
    /** Refuses nulls. */
    public Variant {
        Objects.requireNonNull(plan, "plan");
        Objects.requireNonNull(tunables, "tunables");
    }

    /**
     * Reads what {@link #toString} writes.
     *
     * @throws IllegalArgumentException if the tunables are written otherwise
     */
    public static Variant parse(String text) {
        int colon = text.indexOf(':');
        return colon < 0
                ? new Variant(text, Tunables.NONE)
                : new Variant(text.substring(0, colon), Tunables.parse(text.substring(colon + 1)));
    }

    /** As {@link #parse} reads it. */
    @Override
    public String toString() {
        return tunables.isEmpty() ? plan : plan + ":" + tunables;
    }
}
