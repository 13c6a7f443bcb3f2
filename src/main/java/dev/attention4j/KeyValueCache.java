package dev.attention4j;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * The keys and values of texts that grow token by token, held where an engine computes: what decoding reads for each new
 * token, and never sends anywhere again.
 *
 * <pre>{@code
 * try (KeyValueCache cache = KeyValueCache.open(engine, CacheShape.of(1, 8, 2048, 64))) {
 *     cache.append(promptKeys, promptValues);              // [1, 8, any length, 64]
 *     AttentionResult next = cache.attend(query, newKey, newValue, Attention.DEFAULT);
 * }
 * }</pre>
 *
 * <p>Each sequence has a length of its own. The last query of a call is at the position of the sequence's last token, so
 * that causal attention aligned {@link Alignment#BOTTOM_RIGHT} sees what was there at its time: a prompt of several
 * queries, or one new token. The result of a step of few queries, as in decoding, has the same
 * bits whatever other sequences hold, and however its tokens were divided into appends, unless weights are asked for.
 *
 * <p>Opened with a {@link RotaryEmbedding}, it turns each new key by the angles of its position as it is appended, and each
 * query by those of its own: {@link #keys()} are turned ones.
 *
 * <p>May be called from many threads: attentions run side by side; what changes the cache waits for them and runs alone.
 */
public final class KeyValueCache implements AutoCloseable {
    private final CacheShape shape;
    private final CacheMemory memory;
    private final int[] lengths;

    private KeyValueCache(CacheShape shape, CacheMemory memory) {
        this.shape = shape;
        this.memory = memory;
        lengths = new int[shape.sequences()];
    }

    /**
     * Allocates an empty cache.
     *
     * @param engine where it is held, and attended to
     * @param shape sizes and types
     * @return to be closed by the caller; closing the engine closes it too
     * @throws IllegalStateException if the engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    public static KeyValueCache open(AttentionEngine engine, CacheShape shape) {
        return new KeyValueCache(shape, CacheMemory.open(engine, shape, shape.sequences(), shape.capacity()));
    }

    /**
     * Allocates an empty cache of keys that are turned by their positions.
     *
     * @param engine where it is held, and attended to
     * @param shape sizes and types
     * @param rotary the angles, for as many positions as the capacity or more; copied
     * @return to be closed by the caller; closing the engine closes it too
     * @throws IllegalArgumentException if the rotary embedding has fewer positions, or turns more elements than a key has
     * @throws IllegalStateException if the engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    public static KeyValueCache open(AttentionEngine engine, CacheShape shape, RotaryEmbedding rotary) {
        int capacity = shape.capacity();
        return new KeyValueCache(shape, CacheMemory.open(engine, shape, shape.sequences(), capacity, rotary, capacity));
    }

    /** {@return sizes and types} */
    public CacheShape shape() {
        return shape;
    }

    /**
     * The tokens that a sequence holds.
     *
     * @param sequence from 0
     * @return 0 to the capacity
     * @throws IllegalArgumentException if there is no such sequence
     */
    public int length(int sequence) {
        return lengths()[checked(sequence)];
    }

    /** {@return the tokens that each sequence holds} */
    public int[] lengths() {
        return memory.always(lengths::clone);
    }

    /**
     * Adds tokens to each sequence, the same number to all. They may have another type than the cache, which rounds to
     * nearest, ties to even.
     *
     * @param key [sequences, keyValueHeads, tokens, headDim], on the host or this cache's engine
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if a sequence has no room for them, or the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public void append(Tensor key, Tensor value) {
        append(key, value, CacheMemory.all(shape.sequences(), key));
    }

    /**
     * Adds tokens to each sequence, as many to each as told. In every error the cache is as it was.
     *
     * @param key [sequences, keyValueHeads, tokens, headDim], on the host or this cache's engine
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @param counts for each sequence, how many of the tokens, from the first, it gets
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if a sequence has no room for them, or the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public void append(Tensor key, Tensor value, int... counts) {
        memory.writing(() -> {
            int[] grown = grown(key, value, counts);
            write(key, value, counts, () -> null);
            System.arraycopy(grown, 0, lengths, 0, grown.length);
            return null;
        });
    }

    /**
     * Attends to all that is cached.
     *
     * @param query [sequences, queryHeads, queries, headDim], on the host or this cache's engine
     * @param attention without key lengths, which are the cache's, and without packed sequences; masks and biases
     *     broadcast to [sequences, queryHeads, queries, the longest sequence's length]
     * @return where the query is; of a sequence without tokens 0
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public AttentionResult attend(Tensor query, Attention attention) {
        return memory.reading(() -> {
            if (memory.turns()) {
                // Before the query is turned.
                checkAttention(query, attention, lengths);
            }
            return attend(query, attention, lengths);
        });
    }

    /**
     * Adds tokens to each sequence and attends to all that is cached then, faster than one after the other.
     *
     * @param query [sequences, queryHeads, queries, headDim], on the host or this cache's engine
     * @param key [sequences, keyValueHeads, tokens, headDim], likewise
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @param attention as for {@link #attend(Tensor, Attention)}
     * @return where the query is
     * @throws IllegalArgumentException as both; the cache is as it was
     * @throws IllegalStateException as both; the cache is as it was
     * @throws DeviceException if the device fails; the cache is as it was
     */
    public AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention) {
        return memory.writing(() -> {
            int[] counts = CacheMemory.all(shape.sequences(), key);
            int[] grown = grown(key, value, counts);
            checkAttention(query, attention, grown);
            AttentionResult result = write(key, value, counts, () -> attend(query, attention, grown));
            System.arraycopy(grown, 0, lengths, 0, grown.length);
            return result;
        });
    }

    /**
     * Forgets the last tokens of a sequence, such as those that a model guessed wrongly.
     *
     * @param sequence from 0
     * @param length how many to keep; 0 to the sequence's length
     * @throws IllegalArgumentException if there is no such sequence, or it does not hold that many
     * @throws IllegalStateException if the cache is closed
     */
    public void truncate(int sequence, int length) {
        memory.writing(() -> {
            if (length < 0 || length > lengths[checked(sequence)]) {
                throw new IllegalArgumentException("length: " + length + ", must be from 0 to the " + lengths[sequence]
                        + " tokens of sequence " + sequence);
            }
            lengths[sequence] = length;
            return null;
        });
    }

    /**
     * Forgets all tokens.
     *
     * @throws IllegalStateException if the cache is closed
     */
    public void clear() {
        memory.writing(() -> {
            Arrays.fill(lengths, 0);
            return null;
        });
    }

    /**
     * The cached keys, as a view of the cache's memory: later calls change it.
     *
     * @return [sequences, keyValueHeads, the longest sequence's length, headDim]; undefined after a sequence's length
     */
    public Tensor keys() {
        return memory.reading(() -> keys(lengths));
    }

    /**
     * The cached values, as a view of the cache's memory: later calls change it.
     *
     * @return [sequences, keyValueHeads, the longest sequence's length, valueDim]; undefined after a sequence's length
     */
    public Tensor values() {
        return memory.reading(() -> values(lengths));
    }

    /** {@return true once it or its engine has been closed} */
    public boolean isClosed() {
        return memory.isClosed();
    }

    /** Waits for calls under way, then gives the memory back; closing again does nothing. */
    @Override
    public void close() {
        memory.close();
    }

    /** {@return shape, lengths and engine} */
    @Override
    public String toString() {
        return "KeyValueCache" + Arrays.toString(lengths()) + " of " + shape + " on "
                + memory.engine().info().name() + (isClosed() ? ", closed" : "");
    }

    // ---- called under a lock

    /** Writes new tokens, and makes a call that reads them. */
    private AttentionResult write(Tensor key, Tensor value, int[] counts, Supplier<AttentionResult> then) {
        return memory.turned(
                key, DType.FLOAT32, lengths, turned -> memory.scatter(turned, value, places(counts), then));
    }

    private AttentionResult attend(Tensor query, Attention attention, int... held) {
        Objects.requireNonNull(query, "query");
        int[] first = memory.turns()
                ? Arrays.stream(held)
                        .map(length -> length - (int) query.size(CacheMemory.LENGTH_AXIS))
                        .toArray()
                : held;
        return memory.turned(query, query.dtype(), first, turned -> memory.engine()
                .attend(turned, keys(held), values(held), over(attention, held)));
    }

    private void checkAttention(Tensor query, Attention attention, int... held) {
        AttentionProblem.of(query, keys(held), values(held), over(attention, held));
    }

    private Tensor keys(int... held) {
        return memory.keys().slice(CacheMemory.LENGTH_AXIS, 0, longest(held));
    }

    private Tensor values(int... held) {
        return memory.values().slice(CacheMemory.LENGTH_AXIS, 0, longest(held));
    }

    private static int longest(int... held) {
        return Arrays.stream(held).max().orElse(0);
    }

    private static Attention over(Attention attention, int... held) {
        return CacheMemory.over(attention, longest(held), held);
    }

    /** Where new tokens go. */
    private List<RowCopy> places(int... counts) {
        return IntStream.range(0, counts.length)
                .mapToObj(sequence -> new RowCopy(sequence, 0, sequence, lengths[sequence], counts[sequence]))
                .toList();
    }

    /** The lengths after an append, which is checked. */
    private int[] grown(Tensor key, Tensor value, int... counts) {
        memory.check(shape.sequences(), key, value, counts);
        int[] grown = lengths.clone();
        for (int sequence = 0; sequence < grown.length; sequence++) {
            int count = counts[sequence];
            if (count > shape.capacity() - grown[sequence]) {
                throw new IllegalStateException("sequence " + sequence + " holds " + grown[sequence] + " of "
                        + shape.capacity() + " tokens, has no room for " + count
                        + " more; truncate or clear it, or open a cache of a larger capacity");
            }
            grown[sequence] += count;
        }
        return grown;
    }

    private int checked(int sequence) {
        if (sequence < 0 || sequence >= shape.sequences()) {
            throw new IllegalArgumentException(
                    "sequence: " + sequence + ", must be from 0 to " + (shape.sequences() - 1));
        }
        return sequence;
    }
}
