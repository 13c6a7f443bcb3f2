package dev.attention4j;

/**
 * The position of a query among the keys if the two lengths differ. Causal masks and windows are measured from there.
 *
 * <p>Libraries disagree (PyTorch's {@code is_causal} and Keras are top-left, flash-attention 2.1 and later is
 * bottom-right), so attention4j never infers it from a shape. With 1 = attended, causal:
 *
 * <pre>
 *  TOP_LEFT 2×5      BOTTOM_RIGHT 2×5     BOTTOM_RIGHT 5×2
 *  1 0 0 0 0         1 1 1 1 0            0 0
 *  1 1 0 0 0         1 1 1 1 1            0 0
 *                                         0 0
 *                                         1 0
 *                                         1 1
 * </pre>
 */
public enum Alignment {
    /** Query i has the position of key i. */
    TOP_LEFT,
    /** The last query has the position of the last key: query i has position i + keyLength − queryLength. */
    BOTTOM_RIGHT
}
