package dev.attention4j;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

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
 * <p>May be called from many threads: attentions run side by side; what changes the cache waits for them and runs alone.
 */
public final class KeyValueCache implements AutoCloseable {
    private static final int LENGTH_AXIS = 2;

    private final AttentionEngine engine;
    private final CacheShape shape;
    private final Tensor keys;
    private final Tensor values;
    private final int[] lengths;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    private KeyValueCache(AttentionEngine engine, CacheShape shape, Tensor keys, Tensor values) {
        this.engine = engine;
        this.shape = shape;
        this.keys = keys;
        this.values = values;
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
        Tensor keys = engine.zeros(
                shape.keyType(), shape.sequences(), shape.keyValueHeads(), shape.capacity(), shape.headDim());
        try {
            Tensor values = engine.zeros(
                    shape.valueType(), shape.sequences(), shape.keyValueHeads(), shape.capacity(), shape.valueDim());
            return new KeyValueCache(engine, shape, keys, values);
        } catch (RuntimeException | Error e) {
            keys.close();
            throw e;
        }
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
        lock.readLock().lock();
        try {
            return lengths.clone();
        } finally {
            lock.readLock().unlock();
        }
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
        append(key, value, all(key));
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
        locked(lock.writeLock(), () -> {
            int[] grown = grown(key, value, counts);
            engine.scatter(List.of(keys, values), List.of(key, value), lengths, counts);
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
        return locked(lock.readLock(), () -> attend(query, attention, lengths));
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
        return locked(lock.writeLock(), () -> {
            int[] counts = all(key);
            int[] grown = grown(key, value, counts);
            AttentionProblem.of(query, cached(keys, grown), cached(values, grown), over(attention, grown));
            AttentionResult result = engine.scatter(
                    List.of(keys, values), List.of(key, value), lengths, counts, () -> attend(query, attention, grown));
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
        locked(lock.writeLock(), () -> {
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
        locked(lock.writeLock(), () -> {
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
        return locked(lock.readLock(), () -> cached(keys, lengths));
    }

    /**
     * The cached values, as a view of the cache's memory: later calls change it.
     *
     * @return [sequences, keyValueHeads, the longest sequence's length, valueDim]; undefined after a sequence's length
     */
    public Tensor values() {
        return locked(lock.readLock(), () -> cached(values, lengths));
    }

    /** {@return true once it or its engine has been closed} */
    public boolean isClosed() {
        return keys.isClosed() || engine.isClosed();
    }

    /** Waits for calls under way, then gives the memory back; closing again does nothing. */
    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            keys.close();
            values.close();
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** {@return shape, lengths and engine} */
    @Override
    public String toString() {
        return "KeyValueCache" + Arrays.toString(lengths()) + " of " + shape + " on "
                + engine.info().name() + (isClosed() ? ", closed" : "");
    }

    // ---- called under a lock

    private interface Body<T> {
        T run();
    }

    private <T> T locked(Lock held, Body<T> body) {
        held.lock();
        try {
            if (isClosed()) {
                throw new IllegalStateException("the cache is closed, must be open");
            }
            return body.run();
        } finally {
            held.unlock();
        }
    }

    private AttentionResult attend(Tensor query, Attention attention, int... held) {
        return engine.attend(query, cached(keys, held), cached(values, held), over(attention, held));
    }

    private static Tensor cached(Tensor tensor, int... held) {
        return tensor.slice(LENGTH_AXIS, 0, longest(held));
    }

    private static int longest(int... held) {
        return Arrays.stream(held).max().orElse(0);
    }

    /** The operation over sequences of these lengths. */
    private static Attention over(Attention attention, int... held) {
        Objects.requireNonNull(attention, "attention");
        if (attention.keyLengths().length > 0 || attention.isPacked()) {
            throw new IllegalArgumentException(
                    "attention: has " + (attention.isPacked() ? "packed sequences" : "key lengths")
                            + ", must have none: the cache knows its lengths");
        }
        int longest = longest(held);
        boolean alike = Arrays.stream(held).allMatch(length -> length == longest);
        return alike ? attention : attention.toBuilder().keyLengths(held).build();
    }

    private int[] all(Tensor key) {
        Objects.requireNonNull(key, "key");
        int[] counts = new int[shape.sequences()];
        Arrays.fill(counts, key.rank() == 4 ? (int) Math.min(Integer.MAX_VALUE, key.size(LENGTH_AXIS)) : 0);
        return counts;
    }

    /** The lengths after an append, which is checked. */
    private int[] grown(Tensor key, Tensor value, int... counts) {
        check("key", key, shape.headDim());
        check("value", value, shape.valueDim());
        if (value.size(LENGTH_AXIS) != key.size(LENGTH_AXIS)) {
            throw new IllegalArgumentException(
                    "value: length " + value.size(LENGTH_AXIS) + ", must be " + key.size(LENGTH_AXIS) + " as key has");
        }
        if (counts.length != shape.sequences()) {
            throw new IllegalArgumentException(
                    "counts: " + counts.length + " numbers, must be " + shape.sequences() + ", one for each sequence");
        }
        int[] grown = lengths.clone();
        for (int sequence = 0; sequence < grown.length; sequence++) {
            int count = counts[sequence];
            if (count < 0 || count > key.size(LENGTH_AXIS)) {
                throw new IllegalArgumentException("counts: " + count + " for sequence " + sequence
                        + ", must be from 0 to the " + key.size(LENGTH_AXIS) + " tokens of key");
            }
            if (count > shape.capacity() - grown[sequence]) {
                throw new IllegalStateException("sequence " + sequence + " holds " + grown[sequence] + " of "
                        + shape.capacity() + " tokens, has no room for " + count
                        + " more; truncate or clear it, or open a cache of a larger capacity");
            }
            grown[sequence] += count;
        }
        return grown;
    }

    private void check(String name, Tensor tensor, int width) {
        Objects.requireNonNull(tensor, name);
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
        tensor.dtype().checkAttentionStorage(name);
        long[] was = tensor.shape();
        long[] mustBe = {shape.sequences(), shape.keyValueHeads(), was.length == 4 ? was[LENGTH_AXIS] : 0, width};
        if (!Arrays.equals(was, mustBe)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(was) + ", must be [" + mustBe[0]
                    + ", " + mustBe[1] + ", tokens, " + width + "] for this cache");
        }
    }

    private int checked(int sequence) {
        if (sequence < 0 || sequence >= shape.sequences()) {
            throw new IllegalArgumentException(
                    "sequence: " + sequence + ", must be from 0 to " + (shape.sequences() - 1));
        }
        return sequence;
    }
}
