package dev.attention4j;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** The keys and values of a cache, whose they are, and the checks of what is to be added to them and attended to. */
final class CacheMemory {
    static final int LENGTH_AXIS = 2;

    private final AttentionEngine engine;
    private final CacheShape shape;
    private final Tensor keys;
    private final Tensor values;

    /** With tables of its own; null for none. */
    private final RotaryEmbedding rotary;

    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    private CacheMemory(AttentionEngine engine, CacheShape shape, Tensor keys, Tensor values, RotaryEmbedding rotary) {
        this.engine = engine;
        this.shape = shape;
        this.keys = keys;
        this.values = values;
        this.rotary = rotary;
    }

    /** Allocates [batch, heads of the shape, rows, width] of keys and values, all zeros. */
    static CacheMemory open(AttentionEngine engine, CacheShape shape, int batch, int rows) {
        return allocate(engine, shape, batch, rows, null);
    }

    /** Allocates the same, and copies the tables of a rotary embedding for that many positions. */
    static CacheMemory open(
            AttentionEngine engine, CacheShape shape, int batch, int rows, RotaryEmbedding rotary, int positions) {
        Objects.requireNonNull(rotary, "rotary");
        if (rotary.positions() < shape.capacity() || rotary.rotaryDim() > shape.headDim()) {
            throw new IllegalArgumentException("rotary: " + rotary + ", must have the cache's " + shape.capacity()
                    + " positions or more and turn no more than the " + shape.headDim() + " elements of a key");
        }
        RotaryEmbedding there = rotary.upload(engine, positions);
        try {
            return allocate(engine, shape, batch, rows, there);
        } catch (RuntimeException | Error e) {
            there.close();
            throw e;
        }
    }

    private static CacheMemory allocate(
            AttentionEngine engine, CacheShape shape, int batch, int rows, RotaryEmbedding rotary) {
        Tensor keys = engine.zeros(shape.keyType(), batch, shape.keyValueHeads(), rows, shape.headDim());
        try {
            Tensor values = engine.zeros(shape.valueType(), batch, shape.keyValueHeads(), rows, shape.valueDim());
            return new CacheMemory(engine, shape, keys, values, rotary);
        } catch (RuntimeException | Error e) {
            keys.close();
            throw e;
        }
    }

    AttentionEngine engine() {
        return engine;
    }

    Tensor keys() {
        return keys;
    }

    Tensor values() {
        return values;
    }

    /** Runs what changes nothing, side by side with others. */
    <T> T reading(Supplier<T> body) {
        return locked(lock.readLock(), body);
    }

    /** Runs what changes the cache, alone. */
    <T> T writing(Supplier<T> body) {
        return locked(lock.writeLock(), body);
    }

    private <T> T locked(Lock held, Supplier<T> body) {
        held.lock();
        try {
            if (isClosed()) {
                throw new IllegalStateException("the cache is closed, must be open");
            }
            return body.get();
        } finally {
            held.unlock();
        }
    }

    /** Runs what may be asked of a closed cache too. */
    <T> T always(Supplier<T> body) {
        lock.readLock().lock();
        try {
            return body.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    boolean isClosed() {
        return keys.isClosed() || engine.isClosed();
    }

    /** Waits for calls under way, then gives the memory back. */
    void close() {
        lock.writeLock().lock();
        try {
            keys.close();
            values.close();
            if (rotary != null) {
                rotary.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Writes tokens, and makes a call that reads them before it waits for them. */
    AttentionResult scatter(Tensor key, Tensor value, List<RowCopy> copies, Supplier<AttentionResult> then) {
        return engine.scatter(List.of(keys, values), List.of(key, value), copies, then);
    }

    /** Returns whether keys and queries are turned by their positions. */
    boolean turns() {
        return rotary != null;
    }

    /**
     * Makes a call with keys or queries turned by their positions, or as they are in a cache that turns none. Rows without a
     * token, of which no result is read, get the nearest position that there is.
     *
     * @param type of the turned ones
     * @param first the position of each sequence's first row; may be negative
     */
    AttentionResult turned(Tensor heads, DType type, int[] first, Function<Tensor, AttentionResult> then) {
        if (rotary == null) {
            return then.apply(heads);
        }
        int rows = (int) heads.size(LENGTH_AXIS);
        int last = rotary.positions() - 1;
        int[] positions = first;
        if (Arrays.stream(first).anyMatch(position -> position < 0 || position + rows - 1 > last)) {
            positions = IntStream.range(0, first.length * rows)
                    .map(n -> Math.max(0, Math.min(last, first[n / rows] + n % rows)))
                    .toArray();
        }
        return engine.rotate(heads, rotary, positions, type, then);
    }

    /** Returns the counts of an append of all of a key's tokens to each sequence. */
    static int[] all(int sequences, Tensor key) {
        Objects.requireNonNull(key, "key");
        int[] counts = new int[sequences];
        Arrays.fill(counts, key.rank() == 4 ? (int) Math.min(Integer.MAX_VALUE, key.size(LENGTH_AXIS)) : 0);
        return counts;
    }

    /** Refuses tokens that do not fit, and counts of them. */
    void check(int sequences, Tensor key, Tensor value, int... counts) {
        check("key", key, sequences, shape.headDim());
        check("value", value, sequences, shape.valueDim());
        if (value.size(LENGTH_AXIS) != key.size(LENGTH_AXIS)) {
            throw new IllegalArgumentException(
                    "value: length " + value.size(LENGTH_AXIS) + ", must be " + key.size(LENGTH_AXIS) + " as key has");
        }
        if (counts.length != sequences) {
            throw new IllegalArgumentException(
                    "counts: " + counts.length + " numbers, must be " + sequences + ", one for each sequence");
        }
        for (int sequence = 0; sequence < sequences; sequence++) {
            if (counts[sequence] < 0 || counts[sequence] > key.size(LENGTH_AXIS)) {
                throw new IllegalArgumentException("counts: " + counts[sequence] + " for sequence " + sequence
                        + ", must be from 0 to the " + key.size(LENGTH_AXIS) + " tokens of key");
            }
        }
    }

    private void check(String name, Tensor tensor, int sequences, int width) {
        Objects.requireNonNull(tensor, name);
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
        tensor.dtype().checkAttentionStorage(name);
        long[] was = tensor.shape();
        long[] mustBe = {sequences, shape.keyValueHeads(), was.length == 4 ? was[LENGTH_AXIS] : 0, width};
        if (!Arrays.equals(was, mustBe)) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(was) + ", must be [" + mustBe[0]
                    + ", " + mustBe[1] + ", tokens, " + width + "] for this cache");
        }
    }

    /** Returns the operation over sequences of these lengths, of a tensor with room for some more. */
    static Attention over(Attention attention, int keyLength, int... lengths) {
        Objects.requireNonNull(attention, "attention");
        boolean hasLengths = attention.options.keyLengths.length > 0;
        if (hasLengths || attention.isPacked() || attention.pageTable().isPresent()) {
            throw new IllegalArgumentException("attention: has "
                    + (attention.isPacked() ? "packed sequences" : hasLengths ? "key lengths" : "a page table")
                    + ", must have none: the cache knows its lengths and pages");
        }
        boolean alike = Arrays.stream(lengths).allMatch(length -> length == keyLength);
        return alike ? attention : attention.toBuilder().keyLengths(lengths).build();
    }
}
