package dev.attention4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The operator on every engine and plan against the standard's function, written out in double. */
class OnnxAttentionTest {
    private static final int NODES = 150;

    /** Emulators build kernels slowly; theirs are fewer nodes, not other ones. */
    private static final int NODES_ON_EMULATOR = 4;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    @ParameterizedTest
    @MethodSource("plans")
    void randomNodesAreAsTheStandardsFunction(EnginePlan enginePlan) {
        int nodes = enginePlan.info().kind() == EngineInfo.Kind.EMULATOR ? NODES_ON_EMULATOR : NODES;
        int withWeights = 0;
        try (AttentionEngine engine = enginePlan.open()) {
            for (int n = 0; n < nodes; n++) {
                withWeights += check(engine, n) ? 1 : 0;
            }
        }
        assertThat(withWeights).isLessThan(nodes);
    }

    /** Draws a node and its inputs; whether the weights could be checked. */
    private static boolean check(AttentionEngine engine, long seed) {
        Random random = new Random(seed);
        int batch = random.nextInt(20) == 0 ? 0 : 1 + random.nextInt(3);
        int keyValueHeads = 1 + random.nextInt(3);
        int queryHeads = keyValueHeads * (1 + random.nextInt(3));
        int queryLength = 1 + random.nextInt(9);
        int keyLength = 1 + random.nextInt(12);
        int headDim = 1 + random.nextInt(20);
        int valueDim = random.nextBoolean() ? headDim : 1 + random.nextInt(20);
        int pastLength = random.nextInt(3) == 0 ? random.nextInt(8) : -1;
        DType type = type(random);
        DType valueType = random.nextInt(6) == 0 ? type(random) : type;
        boolean hidden = random.nextBoolean();

        OnnxAttentionBuilder builder = OnnxAttention.builder().isCausal(random.nextInt(3) == 0);
        OnnxAttentionInputs inputs = OnnxAttentionInputs.of(
                tensor(random, type, hidden, batch, queryHeads, queryLength, headDim),
                tensor(random, type, hidden, batch, keyValueHeads, keyLength, headDim),
                tensor(random, valueType, hidden, batch, keyValueHeads, keyLength, valueDim));
        if (hidden || random.nextBoolean()) {
            builder.qNumHeads(queryHeads).kvNumHeads(keyValueHeads);
        }
        if (pastLength >= 0) {
            inputs = inputs.withPast(
                    tensor(random, type, false, batch, keyValueHeads, pastLength, headDim),
                    tensor(random, valueType, false, batch, keyValueHeads, pastLength, valueDim));
        } else if (random.nextInt(3) == 0) {
            inputs = inputs.withNonpadKvSeqlen(
                    random.longs(batch, 0, keyLength + 1).toArray());
        }
        if (random.nextInt(3) == 0) {
            builder.leftWindowSize(random.nextInt(5) - 1).rightWindowSize(random.nextInt(5) - 1);
        }
        if (random.nextInt(3) == 0) {
            builder.scale(random.nextInt(6) == 0 ? 0 : random.nextDouble());
        }
        if (random.nextInt(3) == 0) {
            builder.softcap(0.2 + 3 * random.nextDouble());
        }
        if (random.nextInt(3) == 0) {
            builder.softmaxPrecision(DType.FLOAT32);
        }
        if (random.nextBoolean()) {
            long[] scores = {batch, queryHeads, queryLength, Math.max(0, pastLength) + keyLength};
            inputs = inputs.withAttnMask(mask(random, type, scores));
        }
        QkMatmulOutput mode = QkMatmulOutput.of(random.nextInt(4));
        OnnxAttention plain = builder.build();
        OnnxAttention node = plain.toBuilder().qkMatmulOutput(mode).build();
        String where = "seed " + seed + " on " + engine.info().name() + " " + inputs;
        boolean weights = mode == QkMatmulOutput.WEIGHTS;
        try (OnnxAttentionResult result = node.run(engine, inputs)) {
            check(where, node, inputs, result, mode);
        } catch (UnsupportedPlanException e) {
            assertThat(weights).as(where).isTrue();
            weights = false;
            try (OnnxAttentionResult result = plain.run(engine, inputs)) {
                assertThat(result.qkMatmulOutput()).isEmpty();
                check(where, plain, inputs, result, null);
            }
        }
        return weights;
    }

    private static void check(
            String where,
            OnnxAttention node,
            OnnxAttentionInputs inputs,
            OnnxAttentionResult result,
            QkMatmulOutput mode) {
        OnnxReference want = new OnnxReference(node, inputs);
        DType type = inputs.query().dtype();
        int rank = inputs.query().rank();
        assertThat(result.output().shape())
                .as(where)
                .isEqualTo(
                        rank == 4
                                ? new long[] {want.batch, want.queryHeads, want.queryLength, want.valueDim}
                                : new long[] {want.batch, want.queryLength, (long) want.queryHeads * want.valueDim});
        compare(where + ": output", result.output(), type, want.output(rank));
        compare(where + ": presentKey", result.presentKey(), type, want.presentKey());
        compare(where + ": presentValue", result.presentValue(), inputs.value().dtype(), want.presentValue());
        if (mode != null) {
            Tensor scores = result.qkMatmulOutput().orElseThrow();
            assertThat(scores.shape())
                    .as(where)
                    .containsExactly(want.batch, want.queryHeads, want.queryLength, want.totalLength);
            compare(where + ": " + mode, scores, type, want.qkMatmulOutput(mode));
        }
    }

    private static void compare(String where, Tensor got, DType type, double... want) {
        assertThat(got.dtype()).as(where).isEqualTo(type);
        double[] elements = got.toDoubleArray();
        assertThat(elements).as(where).hasSameSizeAs(want);
        double tolerance = type == DType.FLOAT32 ? 1e-5 : type == DType.FLOAT16 ? 2e-3 : 2e-2;
        for (int n = 0; n < want.length; n++) {
            if (Double.isInfinite(want[n])) {
                assertThat(elements[n]).as(where + " at " + n).isEqualTo(want[n]);
            } else if (!(Math.abs(elements[n] - want[n]) <= tolerance * (1 + Math.abs(want[n])))) {
                throw new AssertionError(where + " at " + n + ": got " + elements[n] + ", want " + want[n]);
            }
        }
    }

    private static DType type(Random random) {
        return random.nextInt(3) > 0 ? DType.FLOAT32 : random.nextBoolean() ? DType.FLOAT16 : DType.BFLOAT16;
    }

    private static Tensor tensor(
            Random random, DType type, boolean hidden, int batch, int heads, int length, int width) {
        Tensor tensor = (hidden
                        ? Tensor.random(random.nextLong(), batch, length, (long) heads * width)
                        : Tensor.random(random.nextLong(), batch, heads, length, width))
                .to(type);
        // Row-major, or as [batch, length, heads, width] seen through strides.
        return hidden || random.nextBoolean()
                ? tensor
                : tensor.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3);
    }

    /** Of booleans or numbers, of any rank, with axes repeated, the last one often short. */
    private static Tensor mask(Random random, DType type, long... scores) {
        int rank = 1 + random.nextInt(4);
        long[] shape = Arrays.copyOfRange(scores, 4 - rank, 4);
        for (int axis = 0; axis < rank - 1; axis++) {
            shape[axis] = random.nextInt(3) == 0 ? 1 : shape[axis];
        }
        shape[rank - 1] -= random.nextInt(3) == 0 ? random.nextInt((int) shape[rank - 1] + 1) : 0;
        int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        if (random.nextBoolean()) {
            boolean[] mask = new boolean[count];
            for (int n = 0; n < count; n++) {
                mask[n] = random.nextInt(3) > 0;
            }
            return Tensor.of(mask, shape);
        }
        float[] bias = new float[count];
        for (int n = 0; n < count; n++) {
            bias[n] = random.nextInt(6) == 0 ? Float.NEGATIVE_INFINITY : (float) random.nextGaussian();
        }
        Tensor numbers = Tensor.of(bias, shape);
        return random.nextInt(8) == 0 ? Tensor.of(bias, shape).to(DType.FLOAT64) : numbers.to(type);
    }

    @Test
    void wholeNumbersAreAddedToo() {
        try (AttentionEngine engine = AttentionEngine.open("oracle")) {
            Tensor zeros = Tensor.zeros(DType.FLOAT32, 1, 1, 1, 2);
            Tensor keys = Tensor.zeros(DType.FLOAT32, 1, 1, 2, 2);
            Tensor values = Tensor.of(new float[] {0, 1}, 1, 1, 2, 1);
            Tensor mask = Tensor.zeros(DType.INT32, 2);
            mask.bytes().putInt(4, 2);
            OnnxAttentionResult result = OnnxAttention.builder()
                    .build()
                    .run(engine, OnnxAttentionInputs.of(zeros, keys, values).withAttnMask(mask));
            assertThat(result.output().get(0, 0, 0, 0)).isCloseTo(1 / (1 + Math.exp(-2)), within(1e-6));
        }
    }

    @Test
    void withoutAPastThePresentsAreTheVeryInputs() {
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            Tensor tensor = Tensor.random(1, 1, 2, 3, 4);
            OnnxAttentionResult result =
                    OnnxAttention.builder().build().run(engine, OnnxAttentionInputs.of(tensor, tensor, tensor));
            assertThat(result.presentKey()).isSameAs(tensor);
            assertThat(result.presentValue()).isSameAs(tensor);
            result.close();
            assertThat(tensor.isClosed()).isFalse();
        }
    }

    @Test
    void whatIsMaskedNeverShows() {
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            Tensor query = Tensor.random(1, 1, 1, 2, 4);
            Tensor key = Tensor.random(2, 1, 1, 3, 4);
            Tensor value = Tensor.random(3, 1, 1, 3, 4);
            for (int n = 8; n < 12; n++) {
                key.floats().put(n, Float.NaN);
                value.floats().put(n, Float.NaN);
            }
            OnnxAttention node = OnnxAttention.builder()
                    .qkMatmulOutput(QkMatmulOutput.MASKED)
                    .build();
            OnnxAttentionInputs inputs =
                    OnnxAttentionInputs.of(query, key, value).withNonpadKvSeqlen(2);
            OnnxAttentionResult result = node.run(engine, inputs);
            assertThat(result.output().toFloatArray()).doesNotContain(Float.NaN);
            Tensor scores = result.qkMatmulOutput().orElseThrow();
            assertThat(scores.get(0, 0, 0, 2)).isEqualTo(Double.NEGATIVE_INFINITY);
            assertThat(scores.get(0, 0, 1, 1)).isFinite();
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tensorsOnADeviceStayThereWhereTheyCan(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 2, 3, 8);
        Tensor key = Tensor.random(2, 1, 2, 5, 8);
        Tensor value = Tensor.random(3, 1, 2, 5, 8);
        Tensor past = Tensor.random(4, 1, 2, 4, 8);
        OnnxAttention node = OnnxAttention.builder()
                .isCausal(true)
                .qNumHeads(2)
                .kvNumHeads(2)
                .qkMatmulOutput(QkMatmulOutput.WEIGHTS)
                .build();
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor onDevice = engine.upload(query);
                Tensor keyOnDevice = engine.upload(key);
                Tensor hiddenOnDevice =
                        engine.upload(query.permute(0, 2, 1, 3).contiguous().reshape(1, 3, 16));
                OnnxAttentionResult want = node.run(engine, OnnxAttentionInputs.of(query, key, value));
                OnnxAttentionResult got = node.run(engine, OnnxAttentionInputs.of(onDevice, keyOnDevice, value));
                OnnxAttentionResult cached = node.run(
                        engine,
                        OnnxAttentionInputs.of(onDevice, keyOnDevice, value).withPast(past, past));
                OnnxAttentionResult hidden = node.run(
                        engine,
                        OnnxAttentionInputs.of(
                                hiddenOnDevice,
                                key.permute(0, 2, 1, 3).contiguous().reshape(1, 5, 16),
                                value.permute(0, 2, 1, 3).contiguous().reshape(1, 5, 16)))) {
            assertThat(got.output().isOnHost()).isFalse();
            assertThat(got.output().toFloatArray()).isEqualTo(want.output().toFloatArray());
            assertThat(got.presentKey()).isSameAs(keyOnDevice);
            assertThat(cached.presentKey().isOnHost()).isTrue();
            assertThat(cached.presentKey().get(0, 1, 4, 3)).isEqualTo(key.get(0, 1, 0, 3));
            assertThat(hidden.output().isOnHost()).isTrue();
            assertThat(hidden.output()
                            .reshape(1, 3, 2, 8)
                            .permute(0, 2, 1, 3)
                            .contiguous()
                            .toFloatArray())
                    .isEqualTo(want.output().toFloatArray());
        }
    }

    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    @Test
    void aPlanThatHasNoWeightsSaysSo() {
        EngineInfo device = TestEngines.quickOpenCl().get(0);
        Tensor tensor = Tensor.random(1, 1, 2, 3, 4);
        OnnxAttention node =
                OnnxAttention.builder().qkMatmulOutput(QkMatmulOutput.WEIGHTS).build();
        EngineOptions rows = TestEngines.options().withPlan("rows");
        try (AttentionEngine engine = AttentionEngine.open(device.id(), rows)) {
            assertThatExceptionOfType(UnsupportedPlanException.class)
                    .isThrownBy(() -> node.run(engine, OnnxAttentionInputs.of(tensor, tensor, tensor)))
                    .withMessageContaining("rows");
        }
    }
}
