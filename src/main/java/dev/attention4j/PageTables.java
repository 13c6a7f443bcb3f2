package dev.attention4j;

import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The accounts of a pool of pages: which pages a sequence holds, how many sequences share a page, and which are free. Holds no
 * tensors. Not safe for threads.
 */
final class PageTables {
    private static final String UNKNOWN = ", must be one that newSequence or fork returned";

    private final int pageSize;
    private final int windowLeft;
    private final int mostTokens;

    /** The sequences that hold each page. */
    private final int[] holders;

    /** The pages that none holds; the last of the first {@code freeCount} is taken next. */
    private final int[] free;

    private int freeCount;
    private final Map<Integer, Sequence> sequences = new HashMap<>();
    private int next;

    /**
     * Starts with all pages free.
     *
     * @param pageSize tokens of a page
     * @param windowLeft keys before a query's own that are ever attended to; −1 for all
     * @param mostTokens of a sequence
     */
    PageTables(int pages, int pageSize, int windowLeft, int mostTokens) {
        this.pageSize = pageSize;
        this.windowLeft = windowLeft;
        this.mostTokens = mostTokens;
        holders = new int[pages];
        free = new int[pages];
        Arrays.setAll(free, n -> pages - 1 - n);
        freeCount = pages;
    }

    /**
     * A sequence as it is at one time.
     *
     * @param first pages before the first one that is held: they fell out of the window
     * @param pages that hold its tokens from first · pageSize on; not changed once made
     */
    @SuppressWarnings("ArrayRecordComponent") // Not compared.
    record Sequence(int first, int[] pages, int length) {
        private static final Sequence EMPTY = new Sequence(0, new int[0], 0);
    }

    /** Refuses an operation's table whose shape does not fit. */
    static void check(Tensor table, int batch, int keyLength) {
        if (table.size(0) != batch) {
            throw new IllegalArgumentException("pageTable: shape " + Arrays.toString(table.shape()) + ", must be ["
                    + batch + ", pages of a batch row]");
        }
        long width = table.size(1);
        long size = width == 0 ? 0 : keyLength / width;
        if (size * width != keyLength || Long.bitCount(size) > 1) {
            throw new IllegalArgumentException("pageTable: " + width + " pages of a batch row for a key length of "
                    + keyLength + ", must be of a power of two of keys each");
        }
    }

    /** Refuses an operation's table, on the host, that names pages which the pool does not have. */
    static void checkPages(AttentionProblem problem, Tensor table, long pages) {
        IntBuffer numbers = table.contiguous().bytes().asIntBuffer();
        for (int row = 0; row < problem.batch(); row++) {
            int length = KeyRange.rowKeyLength(problem, row);
            for (int n = 0; n * (long) problem.pageSize() < length; n++) {
                int page = numbers.get(Math.toIntExact(row * table.size(1) + n));
                if (page < 0 || page >= pages) {
                    throw new IllegalArgumentException("pageTable: page " + n + " of batch row " + row + " is " + page
                            + ", must be one of the " + pages + " pages of key and value, from 0");
                }
            }
        }
    }

    /** Returns the first axes of keys and values that a problem can have, with as few pages as its table needs. */
    static long[] keyShape(AttentionProblem problem) {
        Tensor table = problem.attention().pageTable().orElse(null);
        if (table == null || problem.pageSize() == 0) {
            return new long[] {problem.batch(), problem.keyValueHeads(), problem.keyLength()};
        }
        int last = 0;
        if (table.isOnHost()) {
            IntBuffer numbers = table.contiguous().bytes().asIntBuffer();
            while (numbers.hasRemaining()) {
                last = Math.max(last, numbers.get());
            }
        }
        return new long[] {last + 1L, problem.keyValueHeads(), problem.pageSize()};
    }

    int freePages() {
        return freeCount;
    }

    /** Starts an empty sequence, and returns its number, which no other gets. */
    int newSequence() {
        return add(Sequence.EMPTY);
    }

    /** Starts a sequence that shares all pages of another. */
    int fork(int sequence) {
        Sequence from = of(sequence);
        for (int page : from.pages) {
            holders[page]++;
        }
        return add(from);
    }

    private int add(Sequence sequence) {
        int number = next;
        next = Math.addExact(next, 1);
        sequences.put(number, sequence);
        return number;
    }

    /** Ends a sequence. */
    void free(int sequence) {
        release(of(sequence).pages, 0);
        sequences.remove(sequence);
    }

    /** Returns a sequence as it is now. */
    Sequence of(int sequence) {
        Sequence known = sequences.get(sequence);
        if (known == null) {
            boolean was = sequence >= 0 && sequence < next;
            throw new IllegalArgumentException("sequence: " + sequence + (was ? " was freed" : "") + UNKNOWN);
        }
        return known;
    }

    /** Returns sequences as they are now. */
    List<Sequence> of(int... numbers) {
        return Arrays.stream(numbers).mapToObj(this::of).toList();
    }

    /** Forgets a sequence's last tokens, and gives back the pages that only they were in. */
    void truncate(int sequence, int length) {
        Sequence was = of(sequence);
        int dropped = was.first * pageSize;
        if (length < dropped || length > was.length) {
            throw new IllegalArgumentException("length: " + length + ", must be from " + dropped + " to the "
                    + was.length + " tokens of sequence " + sequence
                    + (dropped > 0 ? ", of which the window has dropped the first " + dropped : ""));
        }
        int kept = pages(length) - was.first;
        release(was.pages, kept);
        sequences.put(sequence, new Sequence(was.first, Arrays.copyOf(was.pages, kept), length));
    }

    private int pages(int tokens) {
        return (int) ((tokens + pageSize - 1L) / pageSize);
    }

    /** Gives pages from a position on back, where no other sequence holds them. */
    private void release(int[] pages, int from) {
        for (int n = from; n < pages.length; n++) {
            release(pages[n]);
        }
    }

    private void release(int page) {
        if (--holders[page] == 0) {
            free[freeCount++] = page;
        }
    }

    /** An append that has its pages: to be committed once its tokens are written, else undone. */
    final class Growth {
        private final int[] numbers;
        private final List<Sequence> grown = new ArrayList<>();
        private final List<Integer> claimed = new ArrayList<>();
        private final List<Integer> released = new ArrayList<>();
        private final List<RowCopy> pageCopies = new ArrayList<>();
        private final List<RowCopy> writes = new ArrayList<>();

        private Growth(int... numbers) {
            this.numbers = numbers;
        }

        /** The sequences after the append. */
        List<Sequence> grown() {
            return grown;
        }

        /** Rows of shared pages that are copied, within the pool, before anything is written. */
        List<RowCopy> pageCopies() {
            return pageCopies;
        }

        /** Where the new tokens go: batch row n is that of the n-th sequence. */
        List<RowCopy> writes() {
            return writes;
        }

        void commit() {
            for (int n = 0; n < numbers.length; n++) {
                sequences.put(numbers[n], grown.get(n));
            }
            released.forEach(PageTables.this::release);
        }

        void undo() {
            claimed.forEach(PageTables.this::release);
        }

        private int claim() {
            int page = free[--freeCount];
            holders[page] = 1;
            claimed.add(page);
            return page;
        }

        private void add(Sequence was, int count) {
            int length = was.length + count;
            int first = count == 0 ? was.first : firstReached(was);
            int[] pages = Arrays.copyOfRange(was.pages, first - was.first, pages(length) - was.first);
            for (int n = was.first; n < first; n++) {
                released.add(was.pages[n - was.first]);
            }
            if (copiesLast(was, count)) {
                int last = was.length / pageSize - first;
                released.add(pages[last]);
                int copy = claim();
                pageCopies.add(new RowCopy(pages[last], 0, copy, 0, was.length % pageSize));
                pages[last] = copy;
            }
            for (int n = pages(was.length) - first; n < pages.length; n++) {
                pages[n] = claim();
            }
            for (int from = 0; from < count; ) {
                int token = was.length + from;
                int rows = Math.min(count - from, pageSize - token % pageSize);
                writes.add(new RowCopy(grown.size(), from, pages[token / pageSize - first], token % pageSize, rows));
                from += rows;
            }
            grown.add(new Sequence(first, pages, length));
        }
    }

    /** Returns the first page that a query at the place of a sequence's last token, or a later one, attends to. */
    private int firstReached(Sequence was) {
        return windowLeft < 0
                ? was.first
                : Math.max(was.first, (int) (Math.max(0, was.length - 1L - windowLeft) / pageSize));
    }

    /** Returns whether an append writes to a page that other sequences hold too. */
    private boolean copiesLast(Sequence was, int count) {
        return count > 0 && was.length % pageSize != 0 && holders[was.pages[was.pages.length - 1]] > 1;
    }

    /**
     * Takes the pages of an append.
     *
     * @param numbers sequences, each once
     * @param counts tokens that each gets
     * @throws IllegalStateException if there are not enough free pages; then none is taken
     */
    Growth grow(int[] numbers, int... counts) {
        List<Sequence> now = of(numbers);
        if (Arrays.stream(numbers).distinct().count() < numbers.length) {
            throw new IllegalArgumentException(
                    "sequences: " + Arrays.toString(numbers) + ", must have each once, to be appended to");
        }
        long needed = 0;
        for (int n = 0; n < numbers.length; n++) {
            Sequence was = now.get(n);
            if (counts[n] > mostTokens - was.length) {
                throw new IllegalStateException("sequence " + numbers[n] + " holds " + was.length
                        + " tokens, has no room for " + counts[n] + " more: a sequence has at most " + mostTokens);
            }
            needed += pages(was.length + counts[n]) - pages(was.length) + (copiesLast(was, counts[n]) ? 1 : 0);
        }
        if (needed > freeCount) {
            throw new IllegalStateException("the cache has " + freeCount + " free pages of " + holders.length
                    + ", needs "
                    + needed + " for " + Arrays.stream(counts).asLongStream().sum()
                    + " more tokens; free or truncate sequences, or open a cache of more pages");
        }
        Growth growth = new Growth(numbers.clone());
        for (int n = 0; n < numbers.length; n++) {
            growth.add(now.get(n), counts[n]);
        }
        return growth;
    }
}
