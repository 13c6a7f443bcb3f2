package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The first impressions of a new user: names of devices, texts of objects, and errors that say which axis. */
class FirstFiveMinutesTest {
    private static final EngineInfo GPU = info("opencl:1", EngineInfo.Kind.GPU, "NVIDIA H200");
    private static final EngineInfo CPU = info("cpu", EngineInfo.Kind.CPU, "a CPU");
    private static final EngineInfo POCL = info("opencl:0", EngineInfo.Kind.OPENCL_CPU, "pthread, no gpu");

    private static EngineInfo info(String id, EngineInfo.Kind kind, String name) {
        return new EngineInfo(id, kind, name, "vendor", "1", Map.of());
    }

    static List<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    @Test
    void gpuIsAGpuOrAnErrorThatSaysWhatThereIs() {
        assertThat(Engines.resolve("GPU", List.of(POCL, GPU, CPU))).isEqualTo(GPU);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Engines.resolve("gpu", List.of(POCL, CPU)))
                .withMessageContaining("OpenCL shows no GPU here")
                .withMessageContaining("NVIDIA_DRIVER_CAPABILITIES")
                .withMessageContaining("doctor")
                .withMessageContaining("pthread, no gpu");
        assertThat(Engines.resolve("cpu", List.of(POCL, GPU, CPU))).isEqualTo(CPU);
    }

    @Test
    void tensorsShowTheirElements() {
        assertThat(Tensor.of(new float[] {1, 2.5f, -3, 0.1f}, 2, 2))
                .hasToString("Tensor[2, 2] FLOAT32 [[1.0, 2.5], [-3.0, 0.1]]");
        assertThat(Tensor.of(new float[] {1, 2.5f, -3, 0.1f}, 2, 2).permute(1, 0))
                .hasToString("Tensor[2, 2] FLOAT32 [[1.0, -3.0], [2.5, 0.1]]");
        assertThat(Tensor.of(new boolean[] {true, false}, 2)).hasToString("Tensor[2] BOOL [true, false]");
        assertThat(Tensor.of(new float[] {7})).hasToString("Tensor[] FLOAT32 7.0");
        assertThat(Tensor.zeros(DType.INT64, 0, 3)).hasToString("Tensor[0, 3] INT64 []");
        float[] many = new float[60];
        for (int n = 0; n < many.length; n++) {
            many[n] = n;
        }
        assertThat(Tensor.of(many, 3, 4, 5))
                .hasToString("Tensor[3, 4, 5] FLOAT32 [0.0, 1.0, 2.0, …, 57.0, 58.0, 59.0]");
        Tensor closed = Tensor.of(new float[] {7});
        closed.close();
        assertThat(closed).hasToString("Tensor[] FLOAT32 (closed)");
    }

    @ParameterizedTest
    @MethodSource("engines")
    void enginesResultsAndLayersSayWhatTheyAre(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 2, 3, 4);
        Tensor input = Tensor.random(1, 1, 3, 4);
        AttentionEngine engine = TestEngines.open(info);
        assertThat(engine.toString()).isEqualTo(info.id() + " (" + info.name() + ")");
        try (AttentionResult result = engine.attend(query, query, query)) {
            assertThat(result.toString())
                    .startsWith("AttentionResult[plan=" + result.plan() + ", output=Tensor[1, 2, 3, 4] FLOAT32 [[[[");
        }
        assertThat(engine.explain(query, query, query, Attention.DEFAULT))
                .isEqualTo(engine.explain(AttentionProblem.of(query, query, query, Attention.DEFAULT)));
        try (Tensor there = engine.upload(query)) {
            assertThat(there.toString())
                    .startsWith("Tensor[1, 2, 3, 4] FLOAT32")
                    .matches(text -> there.isOnHost() || text.endsWith(" on " + info.name()));
        }
        try (MultiHeadAttention layer =
                MultiHeadAttention.builder().heads(2).keyDim(3).bias(false).build(engine)) {
            assertThat(layer.toString())
                    .isEqualTo("MultiHeadAttention[heads=2, keyDim=3, no bias] on " + engine + ", no weights yet");
            try (LayerResult result = layer.call(AttentionInputs.builder()
                    .query(input)
                    .value(input)
                    .scores(true)
                    .build())) {
                assertThat(result.toString())
                        .startsWith("LayerResult[plan=" + result.plan() + ", output=Tensor[1, 3, 4] FLOAT32 [[[")
                        .contains(", scores=Tensor[1, 2, 3, 3] FLOAT32 ");
            }
            assertThat(layer.toString()).contains("query.kernel=[4, 2, 3]");
        }
        engine.close();
        assertThat(engine.toString()).isEqualTo(info.id() + " (" + info.name() + "), closed");
    }

    @ParameterizedTest
    @MethodSource("engines")
    void warmUpLeavesNothingBehind(EngineInfo info) {
        Attention attention = Attention.builder()
                .mask(Tensor.of(new boolean[5], 5))
                .logSumExp(true)
                .build();
        try (AttentionEngine engine = TestEngines.open(info)) {
            engine.warmUp(new AttentionProblem(2, 4, 2, 3, 5, 8, 6, DType.FLOAT16, attention));
            engine.warmUp(new AttentionProblem(0, 4, 2, 3, 5, 8, 6, DType.FLOAT16, Attention.DEFAULT));
        }
    }

    @Test
    void valueAndKeyCannotBeSwappedUnseen() {
        Tensor input = Tensor.random(1, 1, 3, 4);
        Tensor other = Tensor.random(2, 1, 3, 4);
        try (AttentionEngine engine = AttentionEngine.open("cpu");
                MultiHeadAttention layer =
                        MultiHeadAttention.builder().heads(2).keyDim(3).seed(1).build(engine)) {
            float[] self = layer.call(input).toFloatArray();
            assertThat(layer.call(input, input, input).toFloatArray()).isEqualTo(self);
            assertThat(layer.call(input, input).toFloatArray()).isEqualTo(self);
            assertThat(layer.call(input, other, other).toFloatArray())
                    .isEqualTo(layer.call(input, other).toFloatArray());
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> layer.call(input, other, input))
                    .withMessageStartingWith("value, key: different tensors by their place alone, must be named");
        }
    }

    @Test
    void errorsNameTheAxis() {
        Tensor query = Tensor.random(1, 2, 6, 3, 4);
        refused(
                query,
                Tensor.random(1, 3, 6, 5, 4),
                "key: batch 3, must be 2 as query has; it is axis 0 of key's shape");
        refused(query, Tensor.random(1, 2, 6, 5, 7), "key: headDim 7, must be 4 as query has; it is axis 3 of key's");
        refused(
                query,
                Tensor.random(1, 2, 4, 5, 4),
                "query: 6 heads, must be a multiple of the 4 heads of key and value; axis 1 of query's shape");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionProblem.of(query, query, query.slice(2, 0, 2), Attention.DEFAULT))
                .withMessageContaining("value: length 2, must be 3 as key has; it is axis 2 of value's shape");
        Attention masked =
                Attention.builder().mask(Tensor.zeros(DType.BOOL, 2, 1, 7, 3)).build();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionProblem.of(query, query, query, masked))
                .withMessageContaining("= [2, 6, 3, 3], but axis 2 is 7");
    }

    private static void refused(Tensor query, Tensor key, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionProblem.of(query, key, key, Attention.DEFAULT))
                .withMessageContaining(message);
    }
}
