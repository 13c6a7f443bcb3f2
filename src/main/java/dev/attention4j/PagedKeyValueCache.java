package dev.attention4j;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A cache whose memory is a pool of pages of a few tokens each, so that any number of sequences, of any lengths, share it, and
 * sequences that begin alike share the pages of what they have in common.
 *
 * <pre>{@code
 * CacheShape shape = CacheShape.of(16, 8, 2048, 64);          // memory for 16 sequences of 2,048 tokens
 * try (PagedKeyValueCache cache = PagedKeyValueCache.open(engine, shape, 16)) {
 *     int[] first = {cache.newSequence()};
 *     cache.append(first, promptKeys, promptValues);          // [1, 8, any length, 64]
 *     int[] both = {first[0], cache.fork(first[0])};          // the prompt is there once
 *     AttentionResult next = cache.attend(both, query, newKey, newValue, Attention.DEFAULT);
 * }
 * }</pre>
 *
 * <p>Opened with a {@link RotaryEmbedding}, it turns keys and queries as {@link KeyValueCache} does.
 *
 * <p>Sequences are numbers that {@link #newSequence} and {@link #fork} return, and a call names those that it is for, in the
 * order of its tensors' batch. Otherwise it is as {@link KeyValueCache}: the last query of a call is at the position of its
 * sequence's last token, a step of few queries has the same bits whatever other sequences hold, and attentions of several
 * threads run side by side, while what changes the cache waits for them and runs alone.
 */
public final class PagedKeyValueCache implements AutoCloseable {
    private static final int LEAST_PAGE_SIZE = 16;
    private static final int MOST_PAGE_SIZE = 256;

    /**
     * Keys that the window has dropped are left out of a call in multiples of this: plans divide keys at multiples of powers of
     * two up to it, so that a sequence's bits do not depend on when its keys were dropped.
     */
    private static final int LEFT_OUT = 1024;

    private final CacheShape shape;
    private final CacheMemory memory;
    private final PageTables tables;
    private final int pageSize;
    private final int windowLeft;

    private PagedKeyValueCache(CacheShape shape, CacheMemory memory, PageTables tables, int pageSize, int windowLeft) {
        this.shape = shape;
        this.memory = memory;
        this.tables = tables;
        this.pageSize = pageSize;
        this.windowLeft = windowLeft;
    }

    /**
     * Allocates a cache without sequences.
     *
     * @param engine where it is held, and attended to
     * @param shape types and widths, and as much memory as sequences of this capacity take in whole pages; there may be more
     *     sequences, and longer ones
     * @param pageSize tokens of a page: 16, 32, 64, 128 or 256
     * @return to be closed by the caller; closing the engine closes it too
     * @throws IllegalArgumentException if the page size is another
     * @throws IllegalStateException if the engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    public static PagedKeyValueCache open(AttentionEngine engine, CacheShape shape, int pageSize) {
        return open(engine, shape, pageSize, -1);
    }

    /**
     * Allocates a cache for attention by a sliding window: with each append, the pages that hold only tokens before the window
     * go back to the pool, so that a sequence takes the memory of the window and of what was appended last, however long it
     * gets.
     *
     * @param engine where it is held, and attended to
     * @param shape as above
     * @param pageSize as above
     * @param windowLeft how many keys before its own position a query may attend to, as {@link AttentionBuilder#window} has
     *     it; −1 keeps all
     * @return to be closed by the caller; closing the engine closes it too
     * @throws IllegalArgumentException if the page size is another, or the window is less than −1
     * @throws IllegalStateException if the engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    public static PagedKeyValueCache open(AttentionEngine engine, CacheShape shape, int pageSize, int windowLeft) {
        int pages = pages(shape, pageSize, windowLeft);
        return new PagedKeyValueCache(
                shape,
                CacheMemory.open(engine, shape, pages, pageSize),
                new PageTables(pages, pageSize, windowLeft, AttentionProblem.MAX_LENGTH),
                pageSize,
                windowLeft);
    }

    /**
     * Allocates a cache of keys that are turned by their positions, as {@link KeyValueCache#open(AttentionEngine, CacheShape,
     * RotaryEmbedding)} does.
     *
     * @param engine where it is held, and attended to
     * @param shape as above
     * @param pageSize as above
     * @param windowLeft as above
     * @param rotary the angles, for as many positions as a sequence may have tokens; copied
     * @return to be closed by the caller; closing the engine closes it too
     * @throws IllegalArgumentException if the page size is another, the window is less than −1, or the rotary embedding has
     *     fewer positions than the shape's capacity, or turns more elements than a key has
     * @throws IllegalStateException if the engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    public static PagedKeyValueCache open(
            AttentionEngine engine, CacheShape shape, int pageSize, int windowLeft, RotaryEmbedding rotary) {
        int pages = pages(shape, pageSize, windowLeft);
        int positions = Objects.requireNonNull(rotary, "rotary").positions();
        return new PagedKeyValueCache(
                shape,
                CacheMemory.open(engine, shape, pages, pageSize, rotary, positions),
                new PageTables(pages, pageSize, windowLeft, positions),
                pageSize,
                windowLeft);
    }

    private static int pages(CacheShape shape, int pageSize, int windowLeft) {
        if (Integer.bitCount(pageSize) != 1 || pageSize < LEAST_PAGE_SIZE || pageSize > MOST_PAGE_SIZE) {
            throw new IllegalArgumentException("pageSize: " + pageSize + ", must be a power of two from "
                    + LEAST_PAGE_SIZE + " to " + MOST_PAGE_SIZE);
        }
        if (windowLeft < -1) {
            throw new IllegalArgumentException("windowLeft: " + windowLeft + ", must be -1 (all) or more");
        }
        long pages = shape.sequences() * ((shape.capacity() + pageSize - 1L) / pageSize);
        if (pages > AttentionProblem.MAX_LENGTH) {
            throw new IllegalArgumentException(
                    "shape: " + pages + " pages, must be " + AttentionProblem.MAX_LENGTH + " or less");
        }
        return (int) pages;
    }

    /** {@return sizes and types} */
    public CacheShape shape() {
        return shape;
    }

    /** {@return the tokens of a page} */
    public int pageSize() {
        return pageSize;
    }

    /** {@return the pages that no sequence holds} */
    public int freePages() {
        return memory.always(tables::freePages);
    }

    /**
     * Starts a sequence without tokens.
     *
     * @return its number, which no other sequence of this cache gets
     * @throws IllegalStateException if the cache is closed
     */
    public int newSequence() {
        return memory.writing(tables::newSequence);
    }

    /**
     * Starts a sequence with the tokens of another, without copying them: a page is copied when one of those that share it
     * appends to it.
     *
     * @param sequence the one to share with
     * @return the number of the new one
     * @throws IllegalArgumentException if there is no such sequence
     * @throws IllegalStateException if the cache is closed
     */
    public int fork(int sequence) {
        return memory.writing(() -> tables.fork(sequence));
    }

    /**
     * Ends a sequence. The pages that only it held are free then.
     *
     * @param sequence to be named no more
     * @throws IllegalArgumentException if there is no such sequence, or it was freed before
     * @throws IllegalStateException if the cache is closed
     */
    public void free(int sequence) {
        memory.writing(() -> {
            tables.free(sequence);
            return null;
        });
    }

    /**
     * The tokens that were appended to a sequence, less those that were truncated.
     *
     * @param sequence whose
     * @return from 0
     * @throws IllegalArgumentException if there is no such sequence
     */
    public int length(int sequence) {
        return memory.always(() -> tables.of(sequence).length());
    }

    /**
     * Adds tokens to sequences, the same number to each. They may have another type than the cache, which rounds to nearest,
     * ties to even.
     *
     * @param sequences that get tokens, each once
     * @param key [sequences, keyValueHeads, tokens, headDim], on the host or this cache's engine
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if there are not enough free pages, or the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public void append(int[] sequences, Tensor key, Tensor value) {
        Objects.requireNonNull(sequences, "sequences");
        append(sequences, key, value, CacheMemory.all(sequences.length, key));
    }

    /**
     * Adds tokens to sequences, as many to each as told. In every error the cache is as it was.
     *
     * @param sequences that get tokens, each once
     * @param key [sequences, keyValueHeads, tokens, headDim], on the host or this cache's engine
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @param counts for each of the sequences, how many of the tokens, from the first, it gets
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if there are not enough free pages, or the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public void append(int[] sequences, Tensor key, Tensor value, int... counts) {
        Objects.requireNonNull(sequences, "sequences");
        Objects.requireNonNull(counts, "counts");
        memory.writing(() -> append(sequences, key, value, counts, null, null));
    }

    /**
     * Attends to all that sequences hold.
     *
     * @param sequences one for each batch row of the query; a sequence may be there more than once
     * @param query [sequences, queryHeads, queries, headDim], on the host or this cache's engine
     * @param attention without key lengths and page table, which are the cache's, and without packed sequences; masks and
     *     biases broadcast to [sequences, queryHeads, queries, keys], where keys are the longest sequence's length in whole
     *     pages; in a cache that drops what is before a window, keys are 1
     * @return where the query is; of a sequence without tokens 0
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be; such as a window
     *     that reaches to tokens which this cache has dropped
     * @throws IllegalStateException if the cache, its engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    public AttentionResult attend(int[] sequences, Tensor query, Attention attention) {
        Objects.requireNonNull(sequences, "sequences");
        Objects.requireNonNull(query, "query");
        return memory.reading(() -> attend(tables.of(sequences), query, attention));
    }

    /**
     * Adds tokens to sequences, the same number to each, and attends to all that they hold then, faster than one after the
     * other.
     *
     * @param sequences one for each batch row, each once
     * @param query [sequences, queryHeads, queries, headDim], on the host or this cache's engine
     * @param key [sequences, keyValueHeads, tokens, headDim], likewise
     * @param value [sequences, keyValueHeads, tokens, valueDim], likewise
     * @param attention as for {@link #attend(int[], Tensor, Attention)}
     * @return where the query is
     * @throws IllegalArgumentException as both; the cache is as it was
     * @throws IllegalStateException as both; the cache is as it was
     * @throws DeviceException if the device fails; the cache is as it was
     */
    public AttentionResult attend(int[] sequences, Tensor query, Tensor key, Tensor value, Attention attention) {
        Objects.requireNonNull(sequences, "sequences");
        Objects.requireNonNull(query, "query");
        Objects.requireNonNull(attention, "attention");
        return memory.writing(
                () -> append(sequences, key, value, CacheMemory.all(sequences.length, key), query, attention));
    }

    /**
     * Forgets the last tokens of a sequence, such as those that a model guessed wrongly.
     *
     * @param sequence whose
     * @param length how many to keep; 0 to the sequence's length, but no fewer than a window has dropped
     * @throws IllegalArgumentException if there is no such sequence, or it does not hold that many
     * @throws IllegalStateException if the cache is closed
     */
    public void truncate(int sequence, int length) {
        memory.writing(() -> {
            tables.truncate(sequence, length);
            return null;
        });
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

    /** {@return shape, pages and engine} */
    @Override
    public String toString() {
        return "PagedKeyValueCache of " + shape + " in pages of " + pageSize + ", " + freePages() + " free, on "
                + memory.engine().info().name() + (isClosed() ? ", closed" : "");
    }

    // ---- called under the lock

    /** Appends, and attends if there is a query. */
    private AttentionResult append(
            int[] sequences, Tensor key, Tensor value, int[] counts, Tensor query, Attention attention) {
        memory.check(sequences.length, key, value, counts);
        int[] lengths = lengths(tables.of(sequences), 0);
        PageTables.Growth growth = tables.grow(sequences, counts);
        boolean written = false;
        try {
            if (query != null) {
                check(growth.grown(), query, attention);
            }
            AttentionResult result = copyPages(
                    growth.pageCopies(),
                    () -> memory.turned(
                            key,
                            DType.FLOAT32,
                            lengths,
                            turned -> memory.scatter(
                                    turned,
                                    value,
                                    growth.writes(),
                                    () -> query == null ? null : attend(growth.grown(), query, attention))));
            written = true;
            return result;
        } finally {
            if (written) {
                growth.commit();
            } else {
                growth.undo();
            }
        }
    }

    private AttentionResult copyPages(List<RowCopy> copies, Supplier<AttentionResult> then) {
        return copies.isEmpty() ? then.get() : memory.scatter(memory.keys(), memory.values(), copies, then);
    }

    private AttentionResult attend(List<PageTables.Sequence> held, Tensor query, Attention attention) {
        Attention paged = over(held, query, attention);
        if (memory.turns()) {
            // Refuses what does not fit before the query is turned.
            AttentionProblem.of(query, memory.keys(), memory.values(), paged);
        }
        int[] first = memory.turns() ? lengths(held, (int) query.size(CacheMemory.LENGTH_AXIS)) : new int[0];
        return memory.turned(query, query.dtype(), first, turned -> memory.engine()
                .attend(turned, memory.keys(), memory.values(), paged));
    }

    /** Returns the lengths of sequences, each less a number. */
    private static int[] lengths(List<PageTables.Sequence> held, int less) {
        return held.stream().mapToInt(sequence -> sequence.length() - less).toArray();
    }

    /** Refuses what does not fit, before anything is written. */
    private void check(List<PageTables.Sequence> held, Tensor query, Attention attention) {
        AttentionProblem.of(query, memory.keys(), memory.values(), over(held, query, attention));
    }

    /** Returns the operation over sequences, by the table of their pages. */
    private Attention over(List<PageTables.Sequence> held, Tensor query, Attention attention) {
        if (query.rank() == 4 && query.size(0) != held.size()) {
            throw new IllegalArgumentException("query: batch " + query.size(0) + ", must be " + held.size()
                    + ", one batch row for each of the sequences");
        }
        int[] leftOut = new int[held.size()];
        int[] lengths = new int[held.size()];
        for (int n = 0; n < lengths.length; n++) {
            leftOut[n] = held.get(n).first() * pageSize / LEFT_OUT * LEFT_OUT;
            lengths[n] = held.get(n).length() - leftOut[n];
        }
        int pages = (Arrays.stream(lengths).max().orElse(0) + pageSize - 1) / pageSize;
        Tensor table = Tensor.zeros(DType.INT32, held.size(), pages);
        for (int n = 0; n < lengths.length; n++) {
            int unused = held.get(n).first() - leftOut[n] / pageSize;
            table.bytes().asIntBuffer().put(n * pages + unused, held.get(n).pages());
        }
        Attention plain = CacheMemory.over(attention, pages * pageSize, lengths);
        AttentionBuilder paged = plain.toBuilder().pageTable(table);
        return windowLeft < 0 ? paged.build() : within(held, query, attention, paged, leftOut);
    }

    /** Counts positions from the first key that is not left out, and refuses what attends to dropped ones. */
    private Attention within(
            List<PageTables.Sequence> held, Tensor query, Attention attention, AttentionBuilder paged, int... leftOut) {
        int[] offsets = new int[leftOut.length];
        for (int n = 0; n < offsets.length; n++) {
            PageTables.Sequence sequence = held.get(n);
            offsets[n] = offset(attention, n, sequence.length() - (query.rank() == 4 ? (int) query.size(2) : 0));
            long reached = attention.windowLeft() < 0 ? 0 : (long) offsets[n] - attention.windowLeft();
            if (Math.max(0, reached) < (long) sequence.first() * pageSize) {
                throw new IllegalArgumentException("attention: window " + attention.windowLeft() + " reaches key "
                        + Math.max(0, reached) + " of batch row " + n + ", must reach none before "
                        + sequence.first() * pageSize + ": this cache keeps a window of " + windowLeft);
            }
            offsets[n] -= leftOut[n];
        }
        checkKeys("mask", attention.mask().orElse(null));
        checkKeys("bias", attention.bias().orElse(null));
        return offsets.length == 0 ? paged.build() : paged.alignOffsets(offsets).build();
    }

    private static int offset(Attention attention, int row, int ofLast) {
        int[] given = attention.options.offsets;
        if (given.length > 0) {
            return given[Math.min(row, given.length - 1)];
        }
        return attention.alignment() == Alignment.TOP_LEFT ? 0 : ofLast;
    }

    private static void checkKeys(String name, Tensor tensor) {
        if (tensor != null && tensor.rank() > 0 && tensor.size(-1) != 1) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                    + ", must be 1 along the keys, of which a cache of a window drops some");
        }
    }
}
