package dev.attention4j;

import java.util.Arrays;
import java.util.Objects;

/**
 * A rotary position embedding (Su et al., "RoFormer", 2021): pairs of a head's elements turn by angles that grow with the
 * position, so that a query's product with a key depends on their distance. {@link AttentionEngine#rotate} applies it to a
 * tensor, {@link KeyValueCache#open(AttentionEngine, CacheShape, RotaryEmbedding)} to the keys and queries of a cache.
 *
 * <pre>{@code
 * RotaryEmbedding rotary = RotaryEmbedding.builder(128, 8192)   // all of a head's 128 elements, positions 0 to 8191
 *         .base(500_000)
 *         .llama3(8, 1, 4, 8192)
 *         .build();
 * Tensor turned = engine.rotate(query, rotary, 100);            // [1, heads, rows, 128]: positions 100, 101, ...
 * }</pre>
 *
 * <p>The first {@link #rotaryDim()} elements of a head turn, those after them are copied. The pair (x, y) becomes
 * (x·cos − y·sin, y·cos + x·sin); x and y are half a rotary width apart, or neighbours if {@link #isInterleaved()}.
 *
 * @see RotaryEmbeddingBuilder the angles
 */
public final class RotaryEmbedding {
    private final Tensor cosines;
    private final Tensor sines;
    private final boolean interleaved;

    private RotaryEmbedding(Tensor cosines, Tensor sines, boolean interleaved) {
        this.cosines = cosines;
        this.sines = sines;
        this.interleaved = interleaved;
    }

    /**
     * Starts from angles of position · 10000^(−2i / rotaryDim) for pair i.
     *
     * @param rotaryDim how many elements of a head turn; even, from 2
     * @param positions positions from 0, which is as many tokens as a text may have; from 1
     * @return to be built
     * @throws IllegalArgumentException naming the number that does not fit, what it was and what it must be
     */
    public static RotaryEmbeddingBuilder builder(int rotaryDim, int positions) {
        return new RotaryEmbeddingBuilder(rotaryDim, positions);
    }

    /**
     * Takes tables of the caller's, which are neither copied nor closed if they are float32.
     *
     * @param cosines [positions, rotaryDim / 2], on the host or an engine's device
     * @param sines the same shape and place
     * @param interleaved true if the elements of a pair are neighbours
     * @return over these tables
     * @throws IllegalArgumentException if a table has not two axes, no pair, or is no FLOAT32, FLOAT16 or BFLOAT16, or their
     *     shapes differ
     * @throws IllegalStateException if a table is closed
     */
    public static RotaryEmbedding of(Tensor cosines, Tensor sines, boolean interleaved) {
        check("cosines", cosines);
        check("sines", sines);
        if (!Arrays.equals(cosines.shape(), sines.shape())) {
            throw new IllegalArgumentException("sines: shape " + Arrays.toString(sines.shape()) + ", must be "
                    + Arrays.toString(cosines.shape()) + " as cosines has");
        }
        return new RotaryEmbedding(cosines.to(DType.FLOAT32), sines.to(DType.FLOAT32), interleaved);
    }

    private static void check(String name, Tensor table) {
        Objects.requireNonNull(table, name).dtype().checkAttentionStorage(name);
        if (table.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
        if (table.rank() != 2 || table.size(1) < 1 || table.size(1) > AttentionProblem.MAX_LENGTH / 2) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(table.shape())
                    + ", must be [positions, pairs] with a pair or more");
        }
    }

    /** {@return how many elements of a head turn, from the first} */
    public int rotaryDim() {
        return 2 * (int) cosines.size(1);
    }

    /** {@return the positions that there are angles for, from 0} */
    public int positions() {
        return (int) Math.min(Integer.MAX_VALUE, cosines.size(0));
    }

    /** {@return true if the elements of a pair are neighbours, false if they are half of {@link #rotaryDim()} apart} */
    public boolean isInterleaved() {
        return interleaved;
    }

    /** {@return the cosines, [positions, rotaryDim / 2] float32; not to be written to} */
    public Tensor cosines() {
        return cosines;
    }

    /** {@return the sines, [positions, rotaryDim / 2] float32; not to be written to} */
    public Tensor sines() {
        return sines;
    }

    /** Copies the first positions' tables to an engine; the caller closes them. */
    RotaryEmbedding upload(AttentionEngine engine, int first) {
        Tensor cosinesThere = engine.upload(cosines.slice(0, 0, first));
        try {
            return new RotaryEmbedding(cosinesThere, engine.upload(sines.slice(0, 0, first)), interleaved);
        } catch (RuntimeException | Error e) {
            cosinesThere.close();
            throw e;
        }
    }

    /** Closes the tables of {@link #upload}. */
    void close() {
        cosines.close();
        sines.close();
    }

    /** {@return sizes and kind of pairs} */
    @Override
    public String toString() {
        return "RotaryEmbedding of " + rotaryDim() + " elements, " + positions() + " positions"
                + (interleaved ? ", interleaved" : "");
    }
}
