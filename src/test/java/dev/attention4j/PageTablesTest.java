package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Pages are held, shared and freed exactly: a random run agrees with lists of tokens, one for each sequence. */
class PageTablesTest {
    private static final int PAGES = 24;
    private static final int PAGE_SIZE = 4;
    private static final int OPERATIONS = 100_000;

    private final Random random = new Random(23);

    /** A number for each token, where the tables say that it is. */
    private final int[] pool = new int[PAGES * PAGE_SIZE];

    private final Map<Integer, List<Integer>> model = new HashMap<>();

    /** How many tokens of a sequence the window may have dropped. */
    private final Map<Integer, Integer> dropped = new HashMap<>();

    private int tokens;

    @Test
    void aRandomRunAgreesWithPlainLists() {
        run(-1);
    }

    @Test
    void aRandomRunOfAWindowAgreesWithPlainLists() {
        run(6);
    }

    private void run(int windowLeft) {
        PageTables tables = new PageTables(PAGES, PAGE_SIZE, windowLeft, 1 << 20);
        int full = 0;
        int undone = 0;
        for (int n = 0; n < OPERATIONS; n++) {
            List<Integer> numbers = new ArrayList<>(model.keySet());
            int one = numbers.isEmpty() ? -1 : numbers.get(random.nextInt(numbers.size()));
            switch (numbers.isEmpty() ? 0 : random.nextInt(10)) {
                case 0 -> {
                    if (numbers.size() < 8) {
                        add(tables.newSequence(), List.of(), 0);
                    }
                }
                case 1 -> {
                    if (numbers.size() < 8) {
                        add(tables.fork(one), model.get(one), dropped.get(one));
                    }
                }
                case 2 -> {
                    tables.free(one);
                    model.remove(one);
                    dropped.remove(one);
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> tables.free(one))
                            .withMessageStartingWith("sequence: " + one + " was freed, must be one that");
                }
                case 3 -> {
                    int least = dropped.get(one);
                    int length = least + random.nextInt(model.get(one).size() - least + 1);
                    tables.truncate(one, length);
                    model.get(one).subList(length, model.get(one).size()).clear();
                }
                case 4 -> {
                    int before = tables.freePages();
                    try {
                        tables.grow(new int[] {one}, random.nextInt(9)).undo();
                        undone++;
                    } catch (IllegalStateException e) {
                        full++;
                    }
                    assertThat(tables.freePages()).isEqualTo(before);
                }
                default -> full += append(tables, numbers, windowLeft) ? 0 : 1;
            }
            check(tables);
        }
        assertThat(full).isGreaterThan(OPERATIONS / 100);
        assertThat(undone).isGreaterThan(OPERATIONS / 100);
        new ArrayList<>(model.keySet()).forEach(tables::free);
        assertThat(tables.freePages()).isEqualTo(PAGES);
    }

    private void add(int number, List<Integer> of, int droppedTokens) {
        assertThat(model).doesNotContainKey(number);
        model.put(number, new ArrayList<>(of));
        dropped.put(number, droppedTokens);
    }

    /** Writes numbers as a cache writes rows; returns false if there is no room. */
    private boolean append(PageTables tables, List<Integer> all, int windowLeft) {
        int[] numbers = all.stream()
                .filter(number -> random.nextBoolean())
                .mapToInt(Integer::intValue)
                .toArray();
        int[] counts = Arrays.stream(numbers).map(number -> random.nextInt(7)).toArray();
        int needed = 0;
        for (int n = 0; n < numbers.length; n++) {
            int length = model.get(numbers[n]).size();
            int had = (length + PAGE_SIZE - 1) / PAGE_SIZE;
            boolean shared = counts[n] > 0 && length % PAGE_SIZE > 0 && holders(tables, numbers[n]) > 1;
            needed += (length + counts[n] + PAGE_SIZE - 1) / PAGE_SIZE - had + (shared ? 1 : 0);
        }
        if (needed > tables.freePages()) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> tables.grow(numbers, counts))
                    .withMessageStartingWith(
                            "the cache has " + tables.freePages() + " free pages of 24, needs " + needed);
            return false;
        }
        PageTables.Growth growth = tables.grow(numbers, counts);
        for (RowCopy copy : growth.pageCopies()) {
            int from = copy.fromBatch() * PAGE_SIZE + copy.fromRow();
            System.arraycopy(pool, from, pool, copy.toBatch() * PAGE_SIZE + copy.toRow(), copy.count());
        }
        int[][] added = new int[numbers.length][];
        for (int n = 0; n < numbers.length; n++) {
            added[n] = new int[counts[n]];
            for (int token = 0; token < counts[n]; token++) {
                added[n][token] = ++tokens;
            }
        }
        for (RowCopy write : growth.writes()) {
            int to = write.toBatch() * PAGE_SIZE + write.toRow();
            System.arraycopy(added[write.fromBatch()], write.fromRow(), pool, to, write.count());
        }
        growth.commit();
        for (int n = 0; n < numbers.length; n++) {
            List<Integer> held = model.get(numbers[n]);
            if (windowLeft >= 0 && counts[n] > 0) {
                int reached = Math.max(0, held.size() - 1 - windowLeft) / PAGE_SIZE * PAGE_SIZE;
                dropped.merge(numbers[n], reached, Math::max);
            }
            Arrays.stream(added[n]).forEach(held::add);
        }
        return true;
    }

    /** How many sequences hold a sequence's last page. */
    private long holders(PageTables tables, int number) {
        int[] pages = tables.of(number).pages();
        return model.keySet().stream()
                .filter(other -> Arrays.stream(tables.of(other.intValue()).pages())
                        .anyMatch(page -> page == pages[pages.length - 1]))
                .count();
    }

    /** Each token is where its sequence's table says; what no table holds is free. */
    private void check(PageTables tables) {
        Set<Integer> held = new HashSet<>();
        model.forEach((number, expected) -> {
            PageTables.Sequence sequence = tables.of(number.intValue());
            assertThat(sequence.length()).isEqualTo(expected.size());
            assertThat(sequence.first() * PAGE_SIZE).isEqualTo(dropped.get(number));
            for (int token = dropped.get(number); token < expected.size(); token++) {
                int page = sequence.pages()[token / PAGE_SIZE - sequence.first()];
                if (pool[page * PAGE_SIZE + token % PAGE_SIZE] != expected.get(token)) {
                    throw new AssertionError("token " + token + " of sequence " + number);
                }
            }
            Arrays.stream(sequence.pages()).forEach(held::add);
            int whole = (expected.size() + PAGE_SIZE - 1) / PAGE_SIZE;
            assertThat(sequence.pages()).hasSize(whole - sequence.first()).doesNotHaveDuplicates();
        });
        assertThat(tables.freePages()).isEqualTo(PAGES - held.size());
    }
}
