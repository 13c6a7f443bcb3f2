package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.LayerGradients;
import dev.attention4j.layers.LayerTape;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.layers.Optimizer;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionInputs;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.QkMatmulOutput;
import dev.attention4j.testing.TestEngines;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link InjectedFailures} in caches, rotations, merges, layers and ONNX nodes. */
class InjectedFailuresAroundCallsTest extends InjectedFailures {
    /** An append and an append with attention; after each failure the cache is as it was before the call. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCacheThatGrows(EngineInfo info) {
        CacheShape shape = CacheShape.of(2, 2, 24, 16).withValueDim(13);
        try (OpenClEngine engine = open(info, plan("decode"));
                KeyValueCache cache = KeyValueCache.open(engine, shape)) {
            grow(engine, cache);
        }
        RotaryEmbedding rotary = RotaryEmbedding.builder(16, 24).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                KeyValueCache cache = KeyValueCache.open(engine, shape.withTypes(DType.Q8_0, DType.Q4_0), rotary)) {
            grow(engine, cache);
        }
    }

    private void grow(OpenClEngine engine, KeyValueCache cache) {
        Attention plain = Attention.builder().logSumExp(true).build();
        failEachOnce(engine, () -> {
            int[] before = cache.lengths();
            try {
                cache.append(key, value, 21, 17);
                before = cache.lengths();
                try (AttentionResult result = cache.attend(query, key.slice(2, 0, 1), value.slice(2, 0, 1), plain)) {
                    assertThat(cache.lengths()).containsExactly(22, 18);
                    return bytes(result.output(), result.logSumExp());
                }
            } catch (DeviceException e) {
                assertThat(cache.lengths()).as("after " + e.getMessage()).isEqualTo(before);
                throw e;
            } finally {
                cache.clear();
            }
        });
    }

    /** Tables, and heads from host and device that come back turned. */
    @ParameterizedTest
    @MethodSource("devices")
    void headsThatTurn(EngineInfo info) {
        RotaryEmbedding rotary = RotaryEmbedding.builder(16, 24).build();
        CacheShape shape = CacheShape.of(2, 2, 24, 16);
        try (OpenClEngine engine = open(info, plan("decode"))) {
            failEachOnce(engine, () -> {
                try (KeyValueCache cache = KeyValueCache.open(engine, shape, rotary);
                        Tensor there = engine.upload(key);
                        Tensor turned = engine.rotate(there, rotary, 1, 0);
                        Tensor back = engine.download(turned)) {
                    assertThat(cache.lengths()).containsOnly(0);
                    return bytes(back, engine.rotate(key, rotary, 2, 3));
                }
            });
        }
    }

    /** One part on the device and one on the host. */
    @ParameterizedTest
    @MethodSource("devices")
    void resultsThatAreMerged(EngineInfo info) {
        Attention plain = Attention.builder().logSumExp(true).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                Tensor queryThere = engine.upload(query);
                AttentionResult there = engine.attend(queryThere, key, value, plain);
                AttentionResult here = engine.attend(query, key, value, everything)) {
            failEachOnce(engine, () -> {
                try (AttentionResult merged = engine.merge(List.of(here, there));
                        AttentionResult mergedThere = engine.merge(List.of(there, here));
                        Tensor output = engine.download(mergedThere.output())) {
                    return bytes(merged.output(), merged.logSumExp(), output);
                }
            });
        }
    }

    /** Appends, and one with attention, of sequences that share a page; after each failure the cache is as it was before. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCacheOfPages(EngineInfo info) {
        Attention plain = Attention.builder().logSumExp(true).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                PagedKeyValueCache cache = PagedKeyValueCache.open(
                        engine,
                        CacheShape.of(2, 2, 48, 16).withValueDim(13).withTypes(DType.Q4_0, DType.FLOAT16),
                        16)) {
            failEachOnce(engine, () -> {
                int first = cache.newSequence();
                int second = -1;
                int before = cache.freePages();
                int length = 0;
                try {
                    cache.append(new int[] {first}, key.slice(0, 0, 1), value.slice(0, 0, 1), 21);
                    second = cache.fork(first);
                    before = cache.freePages();
                    length = 21;
                    try (AttentionResult result = cache.attend(
                            new int[] {first, second}, query, key.slice(2, 0, 1), value.slice(2, 0, 1), plain)) {
                        length = 22;
                        before = 3;
                        assertThat(cache.length(second)).isEqualTo(22);
                        return bytes(result.output(), result.logSumExp());
                    }
                } catch (DeviceException e) {
                    assertThat(cache.length(first))
                            .as("after " + e.getMessage())
                            .isEqualTo(length);
                    throw e;
                } finally {
                    assertThat(cache.freePages()).isEqualTo(before);
                    cache.free(first);
                    if (second >= 0) {
                        cache.free(second);
                    }
                    assertThat(cache.freePages()).isEqualTo(6);
                }
            });
        }
    }

    /** Projections into heads, attention and the projection of heads, with nothing but the output brought back. */
    @ParameterizedTest
    @MethodSource("devices")
    void aLayersCall(EngineInfo info) {
        Tensor input = Tensor.random(7, 2, 5, 12);
        try (OpenClEngine engine = open(info, plan("rows"));
                MultiHeadAttention layer =
                        MultiHeadAttention.builder().heads(2).keyDim(16).seed(1).build(engine)) {
            failEachOnce(engine, () -> {
                try (Tensor output = layer.call(input, input, input)) {
                    return bytes(output);
                }
            });
        }
    }

    /** A call, its gradients, twice them, clipping and a step; what a failure leaves half done is dropped. */
    @ParameterizedTest
    @MethodSource("quickDevices")
    void aLayersTrainingStep(EngineInfo info) {
        Tensor input = Tensor.random(7, 1, 3, 4);
        AttentionInputs inputs =
                AttentionInputs.builder().query(input).value(input).build();
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> {
                try (MultiHeadAttention layer = MultiHeadAttention.builder()
                                .heads(2)
                                .keyDim(3)
                                .gate(true)
                                .seed(1)
                                .build(engine);
                        Optimizer optimizer = Optimizer.adam(0.1).build(engine);
                        LayerTape tape = layer.callForGradients(inputs);
                        LayerGradients gradients = tape.gradients(tape.output())) {
                    gradients.add(gradients);
                    optimizer.clip(1, gradients.weights().values());
                    layer.step(optimizer, gradients);
                    try (Tensor output = layer.call(input)) {
                        return bytes(gradients.query(), output);
                    }
                }
            });
        }
    }

    static List<EngineInfo> quickDevices() {
        return TestEngines.quickOpenCl();
    }

    /** Whose axes come back in another order, by way of the host. */
    @ParameterizedTest
    @MethodSource("devices")
    void aLayersCallAlongAnotherAxis(EngineInfo info) {
        Tensor input = Tensor.random(7, 2, 5, 3, 12);
        try (OpenClEngine engine = open(info, plan("rows"));
                MultiHeadAttention layer = MultiHeadAttention.builder()
                        .heads(2)
                        .keyDim(16)
                        .attentionAxes(1)
                        .seed(1)
                        .build(engine)) {
            failEachOnce(engine, () -> {
                try (Tensor there = engine.upload(input);
                        Tensor result = layer.call(there, there, there);
                        Tensor output = engine.download(result)) {
                    return bytes(output);
                }
            });
        }
    }

    /** Whose heads are joined on the host, after the call. */
    @ParameterizedTest
    @MethodSource("devices")
    void anOnnxNode(EngineInfo info) {
        OnnxAttention node = OnnxAttention.builder()
                .qNumHeads(4)
                .kvNumHeads(2)
                .qkMatmulOutput(QkMatmulOutput.WEIGHTS)
                .build();
        Tensor queries = Tensor.random(8, 2, 9, 64);
        Tensor keys = Tensor.random(9, 2, 21, 32);
        try (OpenClEngine engine = open(info, plan("staged"))) {
            failEachOnce(engine, () -> {
                try (Tensor queryThere = engine.upload(queries);
                        Tensor keyThere = engine.upload(keys);
                        OnnxAttentionResult result =
                                node.run(engine, OnnxAttentionInputs.of(queryThere, keyThere, keyThere));
                        Tensor weights = there(engine, result.qkMatmulOutput().orElseThrow())) {
                    return bytes(result.output(), weights);
                }
            });
        }
    }

    private static Tensor there(AttentionEngine engine, Tensor tensor) {
        return tensor.isOnHost() ? tensor : engine.download(tensor);
    }
}
