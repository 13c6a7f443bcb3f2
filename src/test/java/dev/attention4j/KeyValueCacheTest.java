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
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A cache is what plain tensors of the same tokens would be, in the cache's types. */
class KeyValueCacheTest {
    private static final int SEQUENCES = 3;
    private static final int HEADS = 2;
    private static final int CAPACITY = 48;
    private static final int HEAD_DIM = 35;
    private static final int VALUE_DIM = 41;

    /** Random operations of an engine and a pair of types. */
    private static final int OPERATIONS = 300;

    private static final int OPERATIONS_ON_EMULATOR = 12;

    private static final List<StorageTypes> TYPES = List.of(
            StorageTypes.of(DType.FLOAT32),
            new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16),
            new StorageTypes(DType.FLOAT16, DType.BFLOAT16, DType.FLOAT32),
            new StorageTypes(DType.FLOAT32, DType.Q8_0, DType.Q8_0),
            new StorageTypes(DType.FLOAT32, DType.Q4_0, DType.Q4_0),
            new StorageTypes(DType.FLOAT32, DType.Q8_0, DType.Q4_0),
            new StorageTypes(DType.BFLOAT16, DType.FLOAT16, DType.Q8_0));

    /** Building kernels takes it half a minute for a mixture. */
    private static final List<StorageTypes> TYPES_ON_EMULATOR = List.of(TYPES.get(0), TYPES.get(5));

    /** Turns an even part of the odd width. */
    private static final RotaryEmbedding ROTARY = RotaryEmbedding.builder(10, CAPACITY + 3)
            .base(100)
            .yarn(2, 16)
            .interleaved(true)
            .build();

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    private static CacheShape shape(StorageTypes types) {
        return CacheShape.of(SEQUENCES, HEADS, CAPACITY, HEAD_DIM)
                .withValueDim(VALUE_DIM)
                .withTypes(types.key(), types.value());
    }

    /** The tokens of each sequence, as float32 tensors of [1, HEADS, tokens, width] that are kept on the host. */
    private static final class Model {
        private final List<List<Tensor>> keys = new ArrayList<>();
        private final List<List<Tensor>> values = new ArrayList<>();
        private final RotaryEmbedding rotary;

        Model(RotaryEmbedding rotary) {
            this.rotary = rotary;
            for (int sequence = 0; sequence < SEQUENCES; sequence++) {
                keys.add(new ArrayList<>());
                values.add(new ArrayList<>());
            }
        }

        void append(Tensor key, Tensor value, int... counts) {
            for (int sequence = 0; sequence < SEQUENCES; sequence++) {
                for (int token = 0; token < counts[sequence]; token++) {
                    Tensor one = token(key, sequence, token);
                    keys.get(sequence).add(rotary == null ? one : turned(one, length(sequence)));
                    values.get(sequence).add(token(value, sequence, token));
                }
            }
        }

        private static Tensor token(Tensor tensor, int sequence, int token) {
            return tensor.slice(0, sequence, sequence + 1).slice(2, token, token + 1);
        }

        /** Turns heads of one sequence; the first row is at the position, and what would be before the text at 0. */
        private Tensor turned(Tensor heads, int position) {
            float[] all = heads.to(DType.FLOAT32).toFloatArray();
            int rows = (int) heads.size(2);
            for (int row = 0; row < all.length / HEAD_DIM; row++) {
                int at = Math.max(0, position + row % rows);
                for (int pair = 0; pair < rotary.rotaryDim() / 2; pair++) {
                    float cosine = (float) rotary.cosines().get(at, pair);
                    float sine = (float) rotary.sines().get(at, pair);
                    int first = row * HEAD_DIM + 2 * pair;
                    float x = all[first];
                    float y = all[first + 1];
                    all[first] = x * cosine - y * sine;
                    all[first + 1] = y * cosine + x * sine;
                }
            }
            return Tensor.of(all, heads.shape());
        }

        /** The queries of a sequence, the last of which is at its last token. */
        Tensor query(Tensor query, int sequence) {
            Tensor own = query.slice(0, sequence, sequence + 1);
            return rotary == null
                    ? own
                    : turned(own, length(sequence) - (int) own.size(2)).to(own.dtype());
        }

        int length(int sequence) {
            return keys.get(sequence).size();
        }

        void truncate(int sequence, int length) {
            keys.get(sequence).subList(length, length(sequence)).clear();
            values.get(sequence).subList(length, values.get(sequence).size()).clear();
        }

        Tensor key(int sequence, DType type) {
            return join(keys.get(sequence), HEAD_DIM).to(type);
        }

        Tensor value(int sequence, DType type) {
            return join(values.get(sequence), VALUE_DIM).to(type);
        }

        private static Tensor join(List<Tensor> tokens, int width) {
            float[] all = new float[HEADS * tokens.size() * width];
            for (int token = 0; token < tokens.size(); token++) {
                float[] one = tokens.get(token).to(DType.FLOAT32).toFloatArray();
                for (int head = 0; head < HEADS; head++) {
                    System.arraycopy(one, head * width, all, (head * tokens.size() + token) * width, width);
                }
            }
            return Tensor.of(all, 1, HEADS, tokens.size(), width);
        }
    }

    /** Random appends, attentions, truncations and clears agree with attention over plain tensors of the same tokens. */
    @ParameterizedTest
    @MethodSource("engines")
    void randomOperationsAgreeWithPlainTensors(EngineInfo info) {
        boolean emulator = info.kind() == EngineInfo.Kind.EMULATOR;
        int operations = emulator ? OPERATIONS_ON_EMULATOR : OPERATIONS;
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (StorageTypes types : emulator ? TYPES_ON_EMULATOR : TYPES) {
                try (KeyValueCache cache = KeyValueCache.open(engine, shape(types))) {
                    operate(engine, cache, types, null, operations);
                }
            }
            for (StorageTypes types :
                    emulator ? TYPES_ON_EMULATOR.subList(0, 1) : List.of(TYPES.get(0), TYPES.get(6))) {
                try (KeyValueCache cache = KeyValueCache.open(engine, shape(types), ROTARY)) {
                    operate(engine, cache, types, ROTARY, operations / 2);
                }
            }
        }
    }

    private static void operate(
            AttentionEngine engine, KeyValueCache cache, StorageTypes types, RotaryEmbedding rotary, int operations) {
        Random random = new Random(types.toString().hashCode());
        Model model = new Model(rotary);
        for (int n = 0; n < operations; n++) {
            int sequence = random.nextInt(SEQUENCES);
            switch (random.nextInt(8)) {
                case 0 -> {
                    int length = random.nextInt(model.length(sequence) + 1);
                    cache.truncate(sequence, length);
                    model.truncate(sequence, length);
                }
                case 1, 2, 3 -> append(engine, cache, model, random);
                case 4 -> {
                    if (random.nextInt(10) == 0) {
                        cache.clear();
                        for (int each = 0; each < SEQUENCES; each++) {
                            model.truncate(each, 0);
                        }
                    }
                }
                default -> attend(cache, model, types, random, engine + " " + types + " operation " + n);
            }
            int[] lengths = {model.length(0), model.length(1), model.length(2)};
            assertThat(cache.lengths()).isEqualTo(lengths);
        }
    }

    private static Tensor tokens(Random random, int count, int width) {
        return Tensor.random(random.nextLong(), SEQUENCES, HEADS, count, width);
    }

    /** In any type, from host or device, row-major or by strides, up to what has room; a full cache refuses one more. */
    private static void append(AttentionEngine engine, KeyValueCache cache, Model model, Random random) {
        int most = 1 + random.nextInt(random.nextBoolean() ? 1 : 9);
        DType type = random.nextBoolean() ? DType.FLOAT32 : DType.FLOAT16;
        Tensor key = tokens(random, most, HEAD_DIM).to(type);
        Tensor value = tokens(random, most, VALUE_DIM).to(type);
        int[] counts = new int[SEQUENCES];
        for (int sequence = 0; sequence < SEQUENCES; sequence++) {
            counts[sequence] = Math.min(random.nextInt(most + 1), CAPACITY - model.length(sequence));
        }
        switch (random.nextInt(3)) {
            case 0 -> cache.append(key, value, counts);
            case 1 -> {
                Tensor strided = key.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3);
                cache.append(strided, value, counts);
            }
            default -> {
                try (Tensor keyThere = engine.upload(key);
                        Tensor valueThere = engine.upload(value)) {
                    cache.append(keyThere, valueThere, counts);
                }
            }
        }
        model.append(key, value, counts);
    }

    private static void attend(KeyValueCache cache, Model model, StorageTypes types, Random random, String what) {
        int queries = random.nextBoolean() ? 1 : 1 + random.nextInt(6);
        Tensor query = Tensor.random(random.nextLong(), SEQUENCES, 2 * HEADS, queries, HEAD_DIM)
                .to(types.query());
        AttentionBuilder builder = Attention.builder().logSumExp(true);
        if (random.nextBoolean()) {
            builder.causal(Alignment.BOTTOM_RIGHT);
        }
        if (random.nextInt(3) == 0) {
            builder.window(random.nextInt(20), random.nextInt(3)).align(Alignment.BOTTOM_RIGHT);
        }
        if (random.nextInt(4) == 0) {
            builder.softcap(2).sinks(0.5f, -1, 0, 2);
        }
        Attention attention = builder.build();
        boolean appends =
                random.nextInt(3) == 0 && Arrays.stream(cache.lengths()).max().orElseThrow() < CAPACITY;
        AttentionResult result;
        if (appends) {
            Tensor key = tokens(random, 1, HEAD_DIM);
            Tensor value = tokens(random, 1, VALUE_DIM);
            result = cache.attend(query, key, value, attention);
            model.append(key, value, 1, 1, 1);
        } else {
            result = cache.attend(query, attention);
        }
        try (result) {
            assertThat(result.output().isOnHost()).isTrue();
            for (int sequence = 0; sequence < SEQUENCES; sequence++) {
                Tensor one = model.query(query, sequence);
                Tensor key = model.key(sequence, types.key());
                Tensor value = model.value(sequence, types.value());
                AttentionResult own = new AttentionResult(
                        result.output().slice(0, sequence, sequence + 1).contiguous(),
                        null,
                        result.logSumExp().slice(0, sequence, sequence + 1).contiguous(),
                        result.plan());
                assertThat(Yardstick.of(one, key, value, attention).measure(own, attention))
                        .as(what + " sequence " + sequence + " " + attention)
                        .allMatch(Deviation::isAllowed);
            }
        }
    }

    static Stream<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(plan -> !plan.plan().equals("host") && !plan.plan().equals("staged"));
    }

    /** The last token of a sequence of 2,100, alone, beside shorter and longer ones, appended at once or in pieces. */
    @ParameterizedTest
    @MethodSource("plans")
    void aSequencesBitsDoNotDependOnOthersOrOnItsAppends(EnginePlan plan) {
        // Few enough on the emulator that its limit of loops leaves each plan what it does.
        int tokens = plan.info().kind() == EngineInfo.Kind.EMULATOR ? 60 : 2100;
        for (int queries : new int[] {1, 5}) {
            sameBits(plan, tokens, queries, DType.FLOAT32, DType.FLOAT32);
        }
        if (plan.info().kind() != EngineInfo.Kind.EMULATOR) {
            sameBits(plan, tokens, 1, DType.Q8_0, DType.Q4_0);
            sameBits(plan, tokens, 5, DType.Q4_0, DType.Q8_0);
        }
    }

    private static void sameBits(EnginePlan plan, int tokens, int queries, DType keyType, DType valueType) {
        Tensor key = Tensor.random(1, 4, 1, 2L * tokens, 16);
        Tensor value = Tensor.random(2, 4, 1, 2L * tokens, 16);
        CacheShape alone = CacheShape.of(1, 1, 2 * tokens, 16).withTypes(keyType, valueType);
        CacheShape four = CacheShape.of(4, 1, 2 * tokens, 16).withTypes(keyType, valueType);
        Tensor query = Tensor.random(3, 4, 2, queries, 16);
        Attention causal = Attention.causal(Alignment.BOTTOM_RIGHT);
        try (AttentionEngine engine = plan.open();
                KeyValueCache one = KeyValueCache.open(engine, alone);
                KeyValueCache many = KeyValueCache.open(engine, four)) {
            one.append(first(key, tokens), first(value, tokens));
            many.append(key, value, tokens - 1, 3, 2 * tokens, tokens / 2);
            many.append(key.slice(2, tokens - 1, tokens), value.slice(2, tokens - 1, tokens), 1, 0, 0, 1);
            try (AttentionResult single = one.attend(query.slice(0, 0, 1), causal);
                    AttentionResult batch = many.attend(query, causal)) {
                assertThat(batch.output().slice(0, 0, 1).toFloatArray())
                        .as(plan + ", " + queries + " queries")
                        .isEqualTo(single.output().toFloatArray());
            }
        }
    }

    /** At once, token by token, beside others, as a ragged part, and turned before into a cache that turns none. */
    @ParameterizedTest
    @MethodSource("engines")
    void turnedKeysAreTheSameBitsHoweverTheyWereAppended(EngineInfo info) {
        int[] five = {5, 5, 5};
        try (AttentionEngine engine = TestEngines.open(info);
                KeyValueCache atOnce = open(engine, ROTARY);
                KeyValueCache byToken = open(engine, ROTARY);
                KeyValueCache ragged = open(engine, ROTARY);
                KeyValueCache before = open(engine, null)) {
            Tensor key = tokens(new Random(1), CAPACITY, HEAD_DIM);
            Tensor value = tokens(new Random(2), CAPACITY, VALUE_DIM);
            atOnce.append(key, value);
            for (int n = 0; n < CAPACITY; n++) {
                byToken.append(key.slice(2, n, n + 1), value.slice(2, n, n + 1));
            }
            ragged.append(key, value, 5, CAPACITY, 0);
            ragged.append(key.slice(2, 5, CAPACITY), value.slice(2, 5, CAPACITY), CAPACITY - 5, 0, 0);
            ragged.append(key, value, 0, 0, CAPACITY);
            before.append(engine.rotate(key, ROTARY, 0, 0, 0), value);
            float[] keys = atOnce.keys().toFloatArray();
            assertThat(keys).isNotEqualTo(key.toFloatArray());
            assertThat(byToken.keys().toFloatArray()).isEqualTo(keys);
            assertThat(ragged.keys().toFloatArray()).isEqualTo(keys);
            assertThat(before.keys().toFloatArray()).isEqualTo(keys);
            Tensor query = Tensor.random(3, SEQUENCES, HEADS, 5, HEAD_DIM);
            int[] last = Arrays.stream(five).map(queries -> CAPACITY - queries).toArray();
            try (AttentionResult turned = atOnce.attend(query, Attention.DEFAULT);
                    AttentionResult plain = before.attend(engine.rotate(query, ROTARY, last), Attention.DEFAULT)) {
                assertThat(turned.output().toFloatArray())
                        .isEqualTo(plain.output().toFloatArray());
            }
        }
    }

    private static KeyValueCache open(AttentionEngine engine, RotaryEmbedding rotary) {
        CacheShape shape = shape(StorageTypes.of(DType.FLOAT32));
        return rotary == null ? KeyValueCache.open(engine, shape) : KeyValueCache.open(engine, shape, rotary);
    }

    private static Tensor first(Tensor tensor, int tokens) {
        return tensor.slice(0, 0, 1).slice(2, 0, tokens);
    }

    /** Readers run side by side with one that appends what it never reads: each result is one of the two that are right. */
    @ParameterizedTest
    @MethodSource("engines")
    void threadsMayShareACache(EngineInfo info) throws Exception {
        Tensor key = Tensor.random(1, 1, 2, 20, 16);
        Tensor query = Tensor.random(3, 1, 2, 1, 16);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (AttentionEngine engine = TestEngines.open(info);
                KeyValueCache cache = KeyValueCache.open(engine, CacheShape.of(1, 2, 40, 16))) {
            cache.append(key, key);
            float[] before = output(cache, query);
            cache.append(key.slice(2, 0, 1), key.slice(2, 0, 1));
            float[] after = output(cache, query);
            cache.truncate(0, 20);
            List<Callable<float[]>> calls = new ArrayList<>();
            for (int n = 0; n < 60; n++) {
                calls.add(() -> output(cache, query));
                calls.add(() -> {
                    cache.append(key.slice(2, 0, 1), key.slice(2, 0, 1), 0);
                    return output(cache, query);
                });
            }
            calls.add(30, () -> {
                cache.append(key.slice(2, 0, 1), key.slice(2, 0, 1));
                return after;
            });
            for (Future<float[]> result : threads.invokeAll(calls)) {
                assertThat(result.get()).matches(got -> Arrays.equals(got, before) || Arrays.equals(got, after));
            }
            assertThat(output(cache, query)).isEqualTo(after);
        } finally {
            threads.shutdownNow();
        }
    }

    private static float[] output(KeyValueCache cache, Tensor query) {
        try (AttentionResult result = cache.attend(query, Attention.DEFAULT)) {
            return result.output().toFloatArray();
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatDoesNotFitIsRefusedByNameAndChangesNothing(EngineInfo info) {
        Tensor key = Tensor.random(1, 2, 2, 3, 8);
        try (AttentionEngine engine = TestEngines.open(info);
                KeyValueCache cache = KeyValueCache.open(engine, CacheShape.of(2, 2, 4, 8))) {
            cache.append(key, key, 3, 1);
            refused(() -> cache.append(key.slice(3, 0, 7), key), "key: shape [2, 2, 3, 7], must be [2, 2, tokens, 8]");
            refused(() -> cache.append(key, key.slice(1, 0, 1)), "value: shape [2, 1, 3, 8]");
            refused(() -> cache.append(key, key.slice(2, 0, 2)), "value: length 2, must be 3 as key has");
            refused(() -> cache.append(key.slice(0, 0, 1), key), "key: shape [1, 2, 3, 8]");
            refused(() -> cache.append(key.to(DType.INT64), key), "key: type INT64, must be FLOAT32");
            refused(() -> cache.append(key, key, 1), "counts: 1 numbers, must be 2");
            refused(() -> cache.append(key, key, 4, 0), "counts: 4 for sequence 0, must be from 0 to the 3 tokens");
            refused(() -> cache.append(key, key, -1, 0), "counts: -1 for sequence 0");
            refused(() -> cache.truncate(0, 4), "length: 4, must be from 0 to the 3 tokens of sequence 0");
            refused(() -> cache.truncate(0, -1), "length: -1");
            refused(() -> cache.truncate(2, 0), "sequence: 2, must be from 0 to 1");
            refused(() -> cache.length(-1), "sequence: -1");
            Tensor query = Tensor.random(2, 2, 4, 1, 8);
            Attention lengths = Attention.builder().keyLengths(1).build();
            refused(() -> cache.attend(query, lengths), "attention: has key lengths, must have none");
            refused(() -> cache.attend(query.slice(3, 0, 7), Attention.DEFAULT), "key: headDim 8, must be 7");
            Tensor token = key.slice(2, 0, 1);
            refused(() -> cache.attend(query.slice(1, 0, 3), token, token, Attention.DEFAULT), "query: 3 heads");
            assertThatIllegalStateException()
                    .isThrownBy(() -> cache.append(key, key, 2, 1))
                    .withMessageContaining("sequence 0 holds 3 of 4 tokens, has no room for 2 more");
            assertThat(cache.lengths()).containsExactly(3, 1);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void anEmbeddingThatDoesNotFitIsRefusedAndACallThatDoesNotRunsNothing(EngineInfo info) {
        CacheShape shape = CacheShape.of(2, 2, 4, 8);
        try (AttentionEngine engine = TestEngines.open(info)) {
            refused(
                    () -> KeyValueCache.open(
                            engine, shape, RotaryEmbedding.builder(8, 3).build()),
                    "rotary: RotaryEmbedding of 8 elements, 3 positions, must have the cache's 4 positions or more");
            refused(
                    () -> KeyValueCache.open(
                            engine, shape, RotaryEmbedding.builder(10, 4).build()),
                    "rotary: RotaryEmbedding of 10 elements, 4 positions, must have");
            try (KeyValueCache cache = KeyValueCache.open(
                    engine, shape, RotaryEmbedding.builder(8, 4).build())) {
                Tensor key = Tensor.random(1, 2, 2, 3, 8);
                cache.append(key, key, 3, 1);
                Tensor token = key.slice(2, 0, 1);
                Tensor query = Tensor.random(2, 2, 4, 1, 8);
                refused(() -> cache.attend(query.slice(3, 0, 7), Attention.DEFAULT), "key: headDim 8, must be 7");
                refused(() -> cache.attend(query.slice(1, 0, 3), token, token, Attention.DEFAULT), "query: 3 heads");
                assertThatIllegalStateException()
                        .isThrownBy(() -> cache.append(key, key, 2, 1))
                        .withMessageContaining("sequence 0 holds 3 of 4 tokens, has no room for 2 more");
                assertThat(cache.lengths()).containsExactly(3, 1);
            }
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
                KeyValueCache cache = KeyValueCache.open(engine, CacheShape.of(1, 1, 4, 8))) {
            refused(() -> cache.append(there, key), "sources: on " + device.id());
            assertThat(cache.length(0)).isZero();
        }
    }

    @Test
    void shapesAreChecked() {
        refused(() -> CacheShape.of(0, 1, 1, 1), "sequences: 0, must be from 1");
        refused(() -> CacheShape.of(1, 0, 1, 1), "keyValueHeads: 0");
        refused(() -> CacheShape.of(1, 1, 0, 1), "capacity: 0");
        refused(() -> CacheShape.of(1, 1, 1, -1), "headDim: -1");
        refused(() -> CacheShape.of(1, 1, 1, 1).withValueDim(0), "valueDim: 0");
        refused(
                () -> CacheShape.of(1, 1, 1, 1).withTypes(DType.FLOAT32, DType.INT64),
                "valueType: type INT64, must be");
    }
}
