package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each sequence of a cache of pages is what plain tensors of its tokens would be, whatever it shares with others. */
class PagedKeyValueCacheTest {
    private static final int HEADS = 2;
    private static final int HEAD_DIM = 19;
    private static final int VALUE_DIM = 21;
    private static final int MOST_SEQUENCES = 6;

    /** Random operations of an engine and a storage type. */
    private static final int OPERATIONS = 300;

    private static final int OPERATIONS_ON_EMULATOR = 12;

    /** A page size for each pair of types. */
    private static final TreeMap<Integer, StorageTypes> TYPES = new TreeMap<>(Map.of(
            16, StorageTypes.of(DType.FLOAT32),
            32, new StorageTypes(DType.FLOAT32, DType.Q8_0, DType.Q4_0),
            128, new StorageTypes(DType.FLOAT16, DType.Q4_0, DType.Q8_0),
            64, new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16),
            256, new StorageTypes(DType.FLOAT16, DType.BFLOAT16, DType.FLOAT32)));

    /** An emulator takes seconds to build the kernels of a pair: it has the first two. */
    private static final int LARGEST_ON_EMULATOR = 32;

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    private static CacheShape shape(int sequences, int capacity, StorageTypes types) {
        return CacheShape.of(sequences, HEADS, capacity, HEAD_DIM)
                .withValueDim(VALUE_DIM)
                .withTypes(types.key(), types.value());
    }

    /** The key and value of a token, each of all heads. */
    @SuppressWarnings("ArrayRecordComponent") // Not compared.
    private record Token(float[] key, float[] value) {}

    /** A cache, and the tokens that each of its sequences must have. */
    private static final class Checked {
        private final AttentionEngine engine;
        private final PagedKeyValueCache cache;
        private final StorageTypes types;
        private final Random random;
        private final int window;
        private final Map<Integer, List<Token>> model = new TreeMap<>();
        private int full;

        Checked(AttentionEngine engine, PagedKeyValueCache cache, StorageTypes types, int window) {
            this.engine = engine;
            this.cache = cache;
            this.types = types;
            this.window = window;
            random = new Random(types.toString().hashCode() + 31L * cache.pageSize());
        }

        void operate(String what) {
            int one = any();
            switch (model.isEmpty() ? 0 : random.nextInt(12)) {
                case 0 -> {
                    if (model.size() < MOST_SEQUENCES) {
                        model.put(cache.newSequence(), new ArrayList<>());
                    }
                }
                case 1, 2 -> {
                    if (model.size() < MOST_SEQUENCES) {
                        model.put(cache.fork(one), new ArrayList<>(model.get(one)));
                    }
                }
                case 3 -> {
                    cache.free(one);
                    model.remove(one);
                }
                case 4 -> {
                    int length = random.nextInt(model.get(one).size() + 1);
                    if (window < 0) {
                        cache.truncate(one, length);
                        model.get(one).subList(length, model.get(one).size()).clear();
                    }
                }
                case 5, 6, 7 -> append();
                default -> attend(what);
            }
            model.forEach((number, tokens) -> assertThat(cache.length(number)).isEqualTo(tokens.size()));
        }

        private int any() {
            List<Integer> numbers = new ArrayList<>(model.keySet());
            return numbers.isEmpty() ? -1 : numbers.get(random.nextInt(numbers.size()));
        }

        /** Some sequences in any order. */
        private int[] some() {
            List<Integer> numbers = new ArrayList<>(model.keySet());
            Collections.shuffle(numbers, random);
            return numbers.subList(0, 1 + random.nextInt(numbers.size())).stream()
                    .mapToInt(Integer::intValue)
                    .toArray();
        }

        /** In any type, from host or device; where pages run short the cache says so, and is as before. */
        private void append() {
            int[] sequences = some();
            int most = 1 + random.nextInt(random.nextBoolean() ? 3 : cache.pageSize() + 5);
            DType type = random.nextBoolean() ? DType.FLOAT32 : DType.FLOAT16;
            Tensor key = tokens(sequences.length, most, HEAD_DIM).to(type);
            Tensor value = tokens(sequences.length, most, VALUE_DIM).to(type);
            int[] counts =
                    Arrays.stream(sequences).map(n -> random.nextInt(most + 1)).toArray();
            int before = cache.freePages();
            try {
                if (random.nextBoolean()) {
                    cache.append(sequences, key.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3), value, counts);
                } else {
                    try (Tensor keyThere = engine.upload(key);
                            Tensor valueThere = engine.upload(value)) {
                        cache.append(sequences, keyThere, valueThere, counts);
                    }
                }
            } catch (IllegalStateException e) {
                assertThat(e).hasMessageStartingWith("the cache has " + before + " free pages of ");
                assertThat(cache.freePages()).isEqualTo(before);
                full++;
                return;
            }
            added(sequences, key, value, counts);
        }

        private Tensor tokens(int sequences, int count, int width) {
            return Tensor.random(random.nextLong(), sequences, HEADS, count, width);
        }

        private void added(int[] sequences, Tensor key, Tensor value, int... counts) {
            for (int n = 0; n < sequences.length; n++) {
                for (int token = 0; token < counts[n]; token++) {
                    model.get(sequences[n]).add(new Token(token(key, n, token), token(value, n, token)));
                }
            }
        }

        private static float[] token(Tensor tensor, int batch, int token) {
            return tensor.slice(0, batch, batch + 1)
                    .slice(2, token, token + 1)
                    .to(DType.FLOAT32)
                    .toFloatArray();
        }

        private void attend(String what) {
            int[] sequences = some();
            int queries = random.nextBoolean() ? 1 : 1 + random.nextInt(6);
            Tensor query = Tensor.random(random.nextLong(), sequences.length, 2 * HEADS, queries, HEAD_DIM)
                    .to(types.query());
            Attention attention = attention();
            AttentionResult result;
            if (window >= 0 || random.nextInt(3) == 0) {
                // All queries are new tokens, so that none reaches beyond the window.
                Tensor key = tokens(sequences.length, queries, HEAD_DIM);
                Tensor value = tokens(sequences.length, queries, VALUE_DIM);
                try {
                    result = cache.attend(sequences, query, key, value, attention);
                } catch (IllegalStateException e) {
                    assertThat(e).hasMessageContaining(" free pages of ");
                    full++;
                    return;
                }
                int[] counts = new int[sequences.length];
                Arrays.fill(counts, queries);
                added(sequences, key, value, counts);
            } else {
                result = cache.attend(sequences, query, attention);
            }
            try (result) {
                for (int n = 0; n < sequences.length; n++) {
                    List<Token> tokens = model.get(sequences[n]);
                    AttentionResult own = new AttentionResult(
                            result.output().slice(0, n, n + 1).contiguous(),
                            null,
                            result.logSumExp().slice(0, n, n + 1).contiguous(),
                            result.plan());
                    Tensor key = join(tokens.stream().map(Token::key).toList(), HEAD_DIM);
                    Tensor value = join(tokens.stream().map(Token::value).toList(), VALUE_DIM);
                    assertThat(Yardstick.of(
                                            query.slice(0, n, n + 1),
                                            key.to(types.key()),
                                            value.to(types.value()),
                                            attention)
                                    .measure(own, attention))
                            .as(what + " sequence " + sequences[n] + " " + attention)
                            .allMatch(Deviation::isAllowed);
                }
            }
        }

        private Attention attention() {
            AttentionBuilder builder = Attention.builder().logSumExp(true);
            if (window >= 0) {
                builder.window(window - random.nextInt(3), random.nextInt(2)).align(Alignment.BOTTOM_RIGHT);
            } else if (random.nextInt(3) == 0) {
                builder.window(random.nextInt(20), random.nextInt(3)).align(Alignment.BOTTOM_RIGHT);
            }
            if (random.nextBoolean()) {
                builder.causal(Alignment.BOTTOM_RIGHT);
            }
            if (random.nextInt(4) == 0) {
                builder.softcap(2).sinks(0.5f, -1, 0, 2);
            }
            if (random.nextInt(4) == 0) {
                builder.alibiSlopes(0.1f, 0.2f, 0, 1);
            }
            return builder.build();
        }

        private static Tensor join(List<float[]> tokens, int width) {
            float[] all = new float[HEADS * tokens.size() * width];
            for (int token = 0; token < tokens.size(); token++) {
                for (int head = 0; head < HEADS; head++) {
                    System.arraycopy(
                            tokens.get(token), head * width, all, (head * tokens.size() + token) * width, width);
                }
            }
            return Tensor.of(all, 1, HEADS, tokens.size(), width);
        }
    }

    private static int operations(EngineInfo info) {
        return info.kind() == EngineInfo.Kind.EMULATOR ? OPERATIONS_ON_EMULATOR : OPERATIONS;
    }

    /** Random appends, attentions, forks, truncations and frees; a pool that is full now and then. */
    @ParameterizedTest
    @MethodSource("engines")
    void randomOperationsAgreeWithPlainTensors(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            boolean emulator = info.kind() == EngineInfo.Kind.EMULATOR;
            TYPES.headMap(emulator ? LARGEST_ON_EMULATOR : Integer.MAX_VALUE, true)
                    .forEach((pageSize, types) -> {
                        int capacity = 3 * pageSize;
                        try (PagedKeyValueCache cache =
                                PagedKeyValueCache.open(engine, shape(MOST_SEQUENCES / 2, capacity, types), pageSize)) {
                            Checked checked = new Checked(engine, cache, types, -1);
                            for (int n = 0; n < operations(info); n++) {
                                checked.operate(engine + " " + types + " operation " + n);
                            }
                            assertThat(checked.full).isGreaterThan(operations(info) == OPERATIONS ? 0 : -1);
                            checked.model.keySet().forEach(cache::free);
                            assertThat(cache.freePages()).isEqualTo(MOST_SEQUENCES / 2 * 3);
                        }
                    });
        }
    }

    /** The same of a window: sequences that grow without end hold the pages of the window and of the last append. */
    @ParameterizedTest
    @MethodSource("engines")
    void aWindowHoldsWhatItReachesAndNoMore(EngineInfo info) {
        StorageTypes types = StorageTypes.of(DType.FLOAT32);
        int window = 37;
        try (AttentionEngine engine = TestEngines.open(info);
                PagedKeyValueCache cache =
                        PagedKeyValueCache.open(engine, shape(MOST_SEQUENCES, 96, types), 16, window)) {
            Checked checked = new Checked(engine, cache, types, window);
            for (int n = 0; n < operations(info); n++) {
                checked.operate(engine + " window, operation " + n);
            }
            checked.model.keySet().forEach(cache::free);
            assertThat(cache.freePages()).isEqualTo(MOST_SEQUENCES * 6);
        }
    }

    /** 3,000 tokens one by one: more than are ever held, and than any multiple in which keys are left out of a call. */
    @Test
    void aWindowMayMoveOnForever() {
        int tokens = 3000;
        int window = 20;
        Attention attention = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .window(window, 0)
                .alibiSlopes(0.1f, 0.2f)
                .build();
        Tensor key = Tensor.random(1, 1, 1, tokens, 16);
        Tensor query = Tensor.random(2, 1, 2, tokens, 16);
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            try (AttentionEngine engine = TestEngines.open(info);
                    PagedKeyValueCache cache =
                            PagedKeyValueCache.open(engine, CacheShape.of(1, 1, 48, 16), 16, window)) {
                int[] sequence = {cache.newSequence()};
                float[] got = new float[2 * tokens * 16];
                for (int n = 0; n < tokens; n++) {
                    Tensor token = key.slice(2, n, n + 1);
                    try (AttentionResult result =
                            cache.attend(sequence, query.slice(2, n, n + 1), token, token, attention)) {
                        float[] output = result.output().toFloatArray();
                        System.arraycopy(output, 0, got, n * 16, 16);
                        System.arraycopy(output, 16, got, (tokens + n) * 16, 16);
                    }
                }
                AttentionResult whole = new AttentionResult(Tensor.of(got, 1, 2, tokens, 16), null, null, "decode");
                assertThat(Yardstick.of(query, key, key, attention).measure(whole, attention))
                        .allMatch(Deviation::isAllowed);
                assertThat(cache.length(sequence[0])).isEqualTo(tokens);
                refused(
                        () -> cache.attend(sequence, query.slice(2, 0, 1), Attention.DEFAULT),
                        "attention: window -1 reaches key 0 of batch row 0, must reach none before 2976");
                refused(
                        () -> cache.truncate(sequence[0], 2975),
                        "length: 2975, must be from 2976 to the 3000 tokens of sequence 0, of which");
            }
        }
    }

    /** A prompt is there once, and right for each that goes on from it. */
    @ParameterizedTest
    @MethodSource("engines")
    void aSharedPrefixIsRightForEachOfItsSequences(EngineInfo info) {
        StorageTypes types = StorageTypes.of(DType.FLOAT32);
        try (AttentionEngine engine = TestEngines.open(info);
                PagedKeyValueCache cache = PagedKeyValueCache.open(engine, shape(1, 160, types), 16)) {
            Checked checked = new Checked(engine, cache, types, -1);
            int first = cache.newSequence();
            checked.model.put(first, new ArrayList<>());
            Tensor key = Tensor.random(1, 1, HEADS, 70, HEAD_DIM);
            Tensor value = Tensor.random(2, 1, HEADS, 70, VALUE_DIM);
            cache.append(new int[] {first}, key, value);
            checked.added(new int[] {first}, key, value, 70);
            assertThat(cache.freePages()).isEqualTo(5);
            for (int n = 0; n < 3; n++) {
                checked.model.put(cache.fork(first), new ArrayList<>(checked.model.get(first)));
            }
            assertThat(cache.freePages()).as("forks share").isEqualTo(5);
            for (int n = 0; n < 20; n++) {
                checked.attend("step " + n);
            }
            cache.free(first);
            checked.model.remove(first);
            for (int n = 0; n < 5; n++) {
                checked.attend("without the first, step " + n);
            }
        }
    }

    static Stream<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(plan -> !plan.plan().equals("host") && !plan.plan().equals("staged"));
    }

    /** As of a contiguous cache: alone, beside others, at once or in pieces, in fresh pages or any. */
    @ParameterizedTest
    @MethodSource("plans")
    void aSequencesBitsDoNotDependOnOthersOrOnItsPages(EnginePlan plan) {
        int tokens = plan.info().kind() == EngineInfo.Kind.EMULATOR ? 60 : 2100;
        Tensor key = Tensor.random(1, 3, 1, 2L * tokens, 16);
        Tensor value = Tensor.random(2, 3, 1, 2L * tokens, 16);
        Tensor query = Tensor.random(3, 3, 2, 1, 16);
        Attention causal = Attention.causal(Alignment.BOTTOM_RIGHT);
        try (AttentionEngine engine = plan.open();
                KeyValueCache plain = KeyValueCache.open(engine, CacheShape.of(1, 1, tokens, 16));
                PagedKeyValueCache paged = PagedKeyValueCache.open(engine, CacheShape.of(5, 1, 2 * tokens, 16), 16)) {
            plain.append(
                    key.slice(0, 0, 1).slice(2, 0, tokens), value.slice(0, 0, 1).slice(2, 0, tokens));
            float[] expected;
            try (AttentionResult result = plain.attend(query.slice(0, 0, 1), causal)) {
                expected = result.output().toFloatArray();
            }
            int[] sequences =
                    IntStream.range(0, 3).map(n -> paged.newSequence()).toArray();
            for (int from = 0; from < tokens; from += 700) {
                int count = Math.min(700, tokens - from);
                paged.append(
                        sequences,
                        key.slice(2, from, from + count),
                        value.slice(2, from, from + count),
                        count,
                        3,
                        count);
            }
            paged.append(new int[] {sequences[2]}, key.slice(0, 2, 3), value.slice(0, 2, 3), tokens);
            int fork = paged.fork(sequences[0]);
            Tensor other = key.slice(0, 1, 2).slice(2, 0, 1);
            paged.append(new int[] {sequences[0]}, other, other);
            for (int[] of : new int[][] {{fork}, {fork, sequences[1], sequences[2]}}) {
                try (AttentionResult result = paged.attend(of, query.slice(0, 0, of.length), causal)) {
                    assertThat(result.output().slice(0, 0, 1).toFloatArray())
                            .as(plan + " of " + of.length)
                            .isEqualTo(expected);
                }
            }
        }
    }

    /** Keys are turned by their positions in their own sequence, and shared once they are. */
    @ParameterizedTest
    @MethodSource("engines")
    void turnedKeysAreThoseOfAContiguousCache(EngineInfo info) {
        RotaryEmbedding rotary = RotaryEmbedding.builder(16, 64).build();
        CacheShape shape = CacheShape.of(1, 1, 64, 16);
        Tensor key = Tensor.random(1, 1, 1, 40, 16);
        Tensor query = Tensor.random(2, 1, 2, 3, 16);
        Attention causal = Attention.causal(Alignment.BOTTOM_RIGHT);
        try (AttentionEngine engine = TestEngines.open(info);
                KeyValueCache plain = KeyValueCache.open(engine, shape, rotary);
                PagedKeyValueCache paged = PagedKeyValueCache.open(engine, shape, 16, -1, rotary)) {
            int first = paged.newSequence();
            paged.append(new int[] {first}, key.slice(2, 0, 20), key.slice(2, 0, 20));
            int[] fork = {paged.fork(first)};
            plain.append(key, key);
            plain.truncate(0, 37);
            paged.append(fork, key.slice(2, 20, 37), key.slice(2, 20, 37));
            Tensor last = key.slice(2, 37, 40);
            try (AttentionResult expected = plain.attend(query, last, last, causal);
                    AttentionResult got = paged.attend(fork, query, last, last, causal)) {
                assertThat(got.output().toFloatArray())
                        .isEqualTo(expected.output().toFloatArray());
            }
            assertThatIllegalStateException()
                    .isThrownBy(() -> paged.append(fork, key, key))
                    .withMessage("sequence 1 holds 40 tokens, has no room for 40 more: a sequence has at most 64");
            refused(() -> paged.attend(fork, query.slice(3, 0, 15), causal), "key: headDim 16, must be 15");
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void threadsMayShareACache(EngineInfo info) throws Exception {
        Tensor key = Tensor.random(1, 1, 2, 20, 16);
        Tensor query = Tensor.random(3, 1, 2, 1, 16);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (AttentionEngine engine = TestEngines.open(info);
                PagedKeyValueCache cache = PagedKeyValueCache.open(engine, CacheShape.of(4, 2, 64, 16), 16)) {
            int first = cache.newSequence();
            cache.append(new int[] {first}, key, key);
            float[] expected = output(cache, first, query);
            List<Callable<float[]>> calls = new ArrayList<>();
            for (int n = 0; n < 60; n++) {
                calls.add(() -> output(cache, first, query));
                calls.add(() -> {
                    int fork = cache.fork(first);
                    float[] same = output(cache, fork, query);
                    cache.append(new int[] {fork}, key.slice(2, 0, 1), key.slice(2, 0, 1));
                    cache.free(fork);
                    return same;
                });
            }
            for (Future<float[]> result : threads.invokeAll(calls)) {
                assertThat(result.get()).isEqualTo(expected);
            }
            assertThat(cache.freePages()).isEqualTo(14);
        } finally {
            threads.shutdownNow();
        }
    }

    private static float[] output(PagedKeyValueCache cache, int sequence, Tensor query) {
        try (AttentionResult result = cache.attend(new int[] {sequence}, query, Attention.DEFAULT)) {
            return result.output().toFloatArray();
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatDoesNotFitIsRefusedByNameAndChangesNothing(EngineInfo info) {
        CacheShape shape = CacheShape.of(2, 2, 32, 8);
        Tensor key = Tensor.random(1, 2, 2, 3, 8);
        try (AttentionEngine engine = TestEngines.open(info);
                PagedKeyValueCache cache = PagedKeyValueCache.open(engine, shape, 16)) {
            refused(() -> PagedKeyValueCache.open(engine, shape, 24), "pageSize: 24, must be a power of two from 16");
            refused(() -> PagedKeyValueCache.open(engine, shape, 8), "pageSize: 8, must be a power of two from 16");
            refused(() -> PagedKeyValueCache.open(engine, shape, 512), "pageSize: 512");
            refused(() -> PagedKeyValueCache.open(engine, shape, 16, -2), "windowLeft: -2, must be -1 (all) or more");
            int[] two = {cache.newSequence(), cache.newSequence()};
            cache.append(two, key, key, 3, 1);
            refused(() -> cache.append(two, key.slice(3, 0, 7), key), "key: shape [2, 2, 3, 7], must be [2, 2, tokens");
            refused(() -> cache.append(two, key, key.slice(1, 0, 1)), "value: shape [2, 1, 3, 8]");
            refused(() -> cache.append(two, key.slice(0, 0, 1), key), "key: shape [1, 2, 3, 8]");
            refused(() -> cache.append(two, key, key, 1), "counts: 1 numbers, must be 2");
            refused(
                    () -> cache.append(two, key, key, 4, 0),
                    "counts: 4 for sequence 0, must be from 0 to the 3 tokens");
            refused(() -> cache.append(two, key, key, 0, -1), "counts: -1 for sequence 1");
            refused(() -> cache.append(new int[] {0, 0}, key, key), "sequences: [0, 0], must have each once");
            refused(
                    () -> cache.append(new int[] {0, 7}, key, key),
                    "sequence: 7, must be one that newSequence or fork");
            refused(() -> cache.length(-1), "sequence: -1, must be one that newSequence or fork returned");
            refused(() -> cache.fork(2), "sequence: 2, must be one");
            refused(() -> cache.truncate(0, 4), "length: 4, must be from 0 to the 3 tokens of sequence 0");
            int freed = cache.fork(0);
            cache.free(freed);
            refused(() -> cache.free(freed), "sequence: 2 was freed, must be one that newSequence or fork returned");
            refused(() -> cache.attend(new int[] {freed}, key, Attention.DEFAULT), "sequence: 2 was freed");
            Tensor query = Tensor.random(2, 2, 4, 1, 8);
            Attention lengths = Attention.builder().keyLengths(1).build();
            refused(() -> cache.attend(two, query, lengths), "attention: has key lengths, must have none");
            Attention table = Attention.builder()
                    .pageTable(Tensor.zeros(DType.INT32, 2, 1))
                    .build();
            refused(() -> cache.attend(two, query, table), "attention: has a page table, must have none");
            refused(() -> cache.attend(two, query.slice(0, 0, 1), Attention.DEFAULT), "query: batch 1, must be 2");
            refused(() -> cache.attend(two, query.slice(3, 0, 7), Attention.DEFAULT), "key: headDim 8, must be 7");
            Tensor token = key.slice(2, 0, 1);
            refused(() -> cache.attend(two, query.slice(1, 0, 3), token, token, Attention.DEFAULT), "query: 3 heads");
            assertThatIllegalStateException()
                    .isThrownBy(() -> cache.append(
                            two, Tensor.zeros(DType.FLOAT32, 2, 2, 30, 8), Tensor.zeros(DType.FLOAT32, 2, 2, 30, 8)))
                    .withMessageStartingWith("the cache has 2 free pages of 4, needs 3 for 60 more tokens; free or");
            assertThat(cache.length(0)).isEqualTo(3);
            assertThat(cache.length(1)).isEqualTo(1);
            assertThat(cache.freePages()).isEqualTo(2);
        }
    }

    private static void refused(Runnable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call::run).withMessageStartingWith(message);
    }

    @Test
    void tensorsOfAnotherEngineAreRefused() {
        EngineInfo device = TestEngines.quickOpenCl().get(0);
        Tensor key = Tensor.random(1, 1, 1, 1, 8);
        try (AttentionEngine engine = TestEngines.open(device);
                AttentionEngine other = TestEngines.open(device);
                Tensor there = other.upload(key);
                PagedKeyValueCache cache = PagedKeyValueCache.open(engine, CacheShape.of(1, 1, 16, 8), 16)) {
            int[] one = {cache.newSequence()};
            refused(() -> cache.append(one, there, key), "sources: on " + device.id());
            assertThat(cache.length(0)).isZero();
            assertThat(cache.freePages()).isEqualTo(1);
        }
    }
}
