package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.testing.RandomInputs;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CpuEngineTest {
    private static CpuEngine engine;

    @BeforeAll
    static void open() {
        engine = new CpuEngine(EngineOptions.DEFAULT.withThreads(2));
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    static boolean[] randomMask(long seed, int size) {
        Random random = new Random(seed);
        boolean[] mask = new boolean[size];
        for (int n = 0; n < size; n++) {
            mask[n] = random.nextInt(3) > 0;
        }
        return mask;
    }

    // ---- sizes

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1, 1, 1, 1",
        "1, 1, 1, 1, 67, 5, 3",
        "2, 3, 1, 5, 7, 33, 2",
        "1, 2, 2, 13, 130, 64, 64",
        "1, 2, 1, 131, 129, 17, 19",
        "2, 4, 2, 300, 65, 32, 48",
        "1, 8, 1, 1, 200, 64, 64",
        "3, 6, 2, 4, 64, 80, 81",
        "1, 12, 1, 3, 3, 128, 7",
        "1, 1, 1, 1025, 63, 8, 8",
    })
    void anySizes(int batch, int heads, int keyHeads, int queries, int keys, int dim, int valueDim) {
        RandomInputs inputs = RandomInputs.random(batch, heads, keyHeads, queries, keys, dim, valueDim);
        inputs.check(engine, Attention.builder());
        inputs.check(engine, Attention.builder().causal(Alignment.BOTTOM_RIGHT));
    }

    @Test
    void emptyLengths() {
        AttentionResult noBatch = RandomInputs.random(0, 2, 1, 3, 4, 8, 8)
                .attend(engine, Attention.builder().weights(true));
        assertThat(noBatch.output().shape()).containsExactly(0, 2, 3, 8);
        AttentionResult noQuery = RandomInputs.random(1, 2, 1, 0, 4, 8, 8).attend(engine, Attention.builder());
        assertThat(noQuery.output().shape()).containsExactly(1, 2, 0, 8);
        AttentionResult noKey = RandomInputs.random(1, 2, 1, 3, 0, 8, 5)
                .attend(engine, Attention.builder().weights(true).logSumExp(true));
        assertThat(noKey.output().toFloatArray()).hasSize(30).containsOnly(0f);
        assertThat(noKey.weights().shape()).containsExactly(1, 2, 3, 0);
        assertThat(noKey.logSumExp().toFloatArray()).hasSize(6).containsOnly(Float.NEGATIVE_INFINITY);
    }

    // ---- options; three rows take the loops for few rows, 70 those for many

    @ParameterizedTest
    @ValueSource(ints = {3, 70})
    void scaleAndSoftcap(int queries) {
        RandomInputs inputs = RandomInputs.random(1, 2, 2, queries, 90, 16, 16);
        inputs.check(engine, Attention.builder().scale(0.7));
        inputs.check(engine, Attention.builder().scale(-0.3));
        inputs.check(engine, Attention.builder().scale(0));
        inputs.check(engine, Attention.builder().softcap(0.5));
        inputs.check(engine, Attention.builder().softcap(20).scale(3));
        inputs.check(
                engine,
                Attention.builder().softcap(2).causal(Alignment.TOP_LEFT).bias(Tensor.random(9, queries, 90)));
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 70, 200})
    void causalWindowsAndOffsets(int queries) {
        RandomInputs inputs = RandomInputs.random(2, 2, 1, queries, 150, 16, 20);
        for (Alignment alignment : Alignment.values()) {
            inputs.check(engine, Attention.builder().causal(alignment));
            inputs.check(engine, Attention.builder().causal(alignment).window(5, -1));
            inputs.check(engine, Attention.builder().window(3, 2).align(alignment));
            inputs.check(engine, Attention.builder().window(0, 0).align(alignment));
            inputs.check(engine, Attention.builder().window(-1, 70).align(alignment));
            inputs.check(engine, Attention.builder().window(70, -1).align(alignment));
        }
        inputs.check(engine, Attention.builder().causalOffsets(-40));
        inputs.check(engine, Attention.builder().causalOffsets(100, -7));
        inputs.check(engine, Attention.builder().window(4, 9).alignOffsets(-200, 149));
        inputs.check(engine, Attention.builder().causalOffsets(AttentionProblem.MAX_LENGTH));
        inputs.check(engine, Attention.builder().causalOffsets(-AttentionProblem.MAX_LENGTH));
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 70})
    void masksAndBiasesBroadcastFromTheRight(int queries) {
        int keys = 90;
        RandomInputs inputs = RandomInputs.random(2, 4, 2, queries, keys, 16, 16);
        long[][] shapes = {
            {},
            {keys},
            {queries, 1},
            {queries, keys},
            {4, queries, keys},
            {4, 1, 1},
            {2, 1, 1, keys},
            {2, 4, queries, keys},
            {1, 4, 1, keys}
        };
        for (long[] shape : shapes) {
            int size = 1;
            for (long length : shape) {
                size *= (int) length;
            }
            Tensor bias = Tensor.random(5, shape);
            inputs.check(engine, Attention.builder().mask(Tensor.of(randomMask(4, size), shape)));
            inputs.check(engine, Attention.builder().bias(bias));
            for (DType type : List.of(DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)) {
                inputs.check(engine, Attention.builder().bias(bias.to(type)));
            }
            inputs.check(
                    engine,
                    Attention.builder()
                            .bias(bias)
                            .mask(Tensor.of(randomMask(6, queries * keys), queries, keys))
                            .causal(Alignment.BOTTOM_RIGHT));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 70})
    void maskAndBiasAreReadThroughTheirStrides(int queries) {
        RandomInputs inputs = RandomInputs.random(1, 2, 2, queries, 40, 16, 16);
        Tensor mask = Tensor.of(randomMask(4, 50 * queries), 50, queries);
        Tensor bias = Tensor.random(5, 40, 2, queries);
        inputs.check(
                engine,
                Attention.builder().mask(mask.slice(0, 10, 50).permute(1, 0)).bias(bias.permute(1, 2, 0)));
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void everyStorageAndStridedInputs(DType type) {
        for (int queries : new int[] {3, 70}) {
            RandomInputs inputs = new RandomInputs(
                            Tensor.random(1, 2, queries, 4, 24),
                            Tensor.random(2, 2, 50, 2, 24),
                            Tensor.random(3, 2, 50, 2, 16))
                    .to(type);
            RandomInputs permuted = new RandomInputs(
                    inputs.query().permute(0, 2, 1, 3),
                    inputs.key().permute(0, 2, 1, 3).slice(2, 7, 50),
                    inputs.value().permute(0, 2, 1, 3).slice(2, 7, 50));
            permuted.check(engine, Attention.builder());
            permuted.check(engine, Attention.builder().causal(Alignment.TOP_LEFT));
            RandomInputs columns = new RandomInputs(
                    Tensor.random(1, 1, 1, 24, queries).to(type).permute(0, 1, 3, 2),
                    Tensor.random(2, 1, 1, 24, 50).to(type).permute(0, 1, 3, 2),
                    Tensor.random(3, 1, 1, 8, 50).to(type).permute(0, 1, 3, 2));
            columns.check(engine, Attention.builder());
        }
    }

    @Test
    void largeScoresNeitherOverflowNorVanish() {
        RandomInputs inputs = RandomInputs.random(1, 1, 1, 70, 90, 16, 16);
        inputs.check(engine, Attention.builder().scale(50));
        inputs.check(engine, Attention.builder().bias(Tensor.of(new float[] {1e30f}, 1)));
        inputs.check(engine, Attention.builder().bias(Tensor.of(new float[] {-1e30f}, 1)));
    }

    // ---- the same bits, from any number of threads

    @Test
    void threadsChangeNoBit() {
        RandomInputs inputs = RandomInputs.random(2, 4, 2, 200, 210, 40, 40);
        RandomInputs few = RandomInputs.random(3, 6, 2, 2, 210, 40, 40);
        AttentionBuilder attention = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .mask(Tensor.of(randomMask(1, 210), 210))
                .weights(true)
                .logSumExp(true);
        AttentionResult first = inputs.attend(engine, attention);
        AttentionResult firstFew = few.attend(engine, attention);
        for (int threads : new int[] {1, 2, 3, 7}) {
            try (CpuEngine other = new CpuEngine(EngineOptions.DEFAULT.withThreads(threads))) {
                for (int run = 0; run < 3; run++) {
                    sameBits(first, inputs.attend(other, attention), true);
                    sameBits(firstFew, few.attend(other, attention), true);
                }
            }
        }
    }

    @Test
    void manyThreadsMayCall() throws Exception {
        RandomInputs inputs = RandomInputs.random(1, 4, 4, 100, 100, 32, 32);
        AttentionBuilder attention = Attention.builder().logSumExp(true);
        AttentionResult expected = inputs.attend(engine, attention);
        List<Callable<AttentionResult>> calls = new ArrayList<>();
        for (int n = 0; n < 40; n++) {
            Attention built = attention.build();
            calls.add(
                    n % 2 == 0
                            ? () -> engine.attend(inputs.query(), inputs.key(), inputs.value(), built)
                            : () -> engine.attendAsync(inputs.query(), inputs.key(), inputs.value(), built)
                                    .get());
        }
        ExecutorService callers = Executors.newFixedThreadPool(8);
        try {
            for (Future<AttentionResult> result : callers.invokeAll(calls)) {
                sameBits(expected, result.get(), false);
            }
        } finally {
            callers.shutdown();
        }
    }

    static void sameBits(AttentionResult expected, AttentionResult found, boolean weights) {
        assertThat(found.output().bytes()).isEqualTo(expected.output().bytes());
        assertThat(found.logSumExp().bytes()).isEqualTo(expected.logSumExp().bytes());
        if (weights) {
            assertThat(found.weights().bytes()).isEqualTo(expected.weights().bytes());
        }
    }

    // ---- as an engine

    @Test
    void isListedBeforeTheOracleAndOpensByName() {
        List<String> ids = Engines.list().stream().map(EngineInfo::id).toList();
        assertThat(ids).containsSubsequence("cpu", "oracle");
        try (AttentionEngine named = AttentionEngine.open("cpu", EngineOptions.DEFAULT.withThreads(3))) {
            assertThat(named).isInstanceOf(CpuEngine.class);
            assertThat(named.info().kind()).isEqualTo(EngineInfo.Kind.CPU);
            assertThat(named.info().name()).isNotBlank();
            assertThat(named.info().facts()).containsEntry("threads", 3).containsKey("java version");
            assertThat(named.plans()).containsExactly("blocked");
        }
        assertThat(new CpuEngine.Provider().absence()).isEmpty();
    }

    @Test
    void refusesOtherPlansAndCallsAfterClose() {
        assertThatThrownBy(() -> new CpuEngine(EngineOptions.DEFAULT.withPlan("staged")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("staged");
        CpuEngine closed = new CpuEngine(EngineOptions.DEFAULT.withThreads(2));
        RandomInputs inputs = RandomInputs.random(1, 1, 1, 2, 2, 4, 4);
        assertThat(inputs.attend(closed, Attention.builder()).plan()).isEqualTo("blocked");
        closed.close();
        closed.close();
        assertThatThrownBy(() -> inputs.attend(closed, Attention.builder()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void closingWaitsForWhatWasAccepted() {
        Tensor tensor = Tensor.random(1, 1, 2, 40, 16);
        for (int round = 0; round < 20; round++) {
            List<CompletableFuture<AttentionResult>> futures = new ArrayList<>();
            try (AttentionEngine closing = AttentionEngine.open("cpu")) {
                for (int n = 0; n < 20; n++) {
                    futures.add(closing.attendAsync(tensor, tensor, tensor, Attention.DEFAULT));
                }
            }
            futures.forEach(future ->
                    assertThat(future.join().output().get(0, 1, 39, 15)).isFinite());
        }
    }

    /** Not even for those whose future was cancelled before they began. */
    @Test
    @Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void closingDoesNotWaitForeverForWhatWasCancelled() {
        Tensor tensor = Tensor.random(1, 1, 2, 512, 64);
        try (AttentionEngine closing = AttentionEngine.open("cpu")) {
            List<CompletableFuture<AttentionResult>> futures = new ArrayList<>();
            for (int n = 0; n < 20; n++) {
                futures.add(closing.attendAsync(tensor, tensor, tensor, Attention.DEFAULT));
            }
            futures.forEach(future -> future.cancel(true));
            assertThat(futures).allMatch(CompletableFuture::isDone);
        }
    }

    @Test
    void aClosedEngineExplainsNothing() {
        AttentionProblem problem = new AttentionProblem(1, 1, 1, 2, 2, 2, 2, DType.FLOAT32, Attention.DEFAULT);
        for (String id : List.of("cpu", "oracle")) {
            AttentionEngine closed = AttentionEngine.open(id);
            assertThatThrownBy(() -> closed.explain(null)).hasMessage("problem");
            closed.close();
            assertThatThrownBy(() -> closed.explain(problem))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    /** More blocks than an int counts, were there any rows. */
    @Test
    void manyBatchRowsWithoutQueriesAreNoProblem() {
        Tensor query = Tensor.zeros(DType.FLOAT32, 1 << 29, 8, 0, 4);
        Tensor key = Tensor.zeros(DType.FLOAT32, 1 << 29, 8, 0, 4);
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            assertThat(engine.attend(query, key, key).output().shape()).containsExactly(1 << 29, 8, 0, 4);
        }
    }
}
