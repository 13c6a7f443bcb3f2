package dev.attention4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.testing.TestEngines;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What ONNX Runtime's kernel and the conformance cases do not show: places, types, shared buffers and refusals. */
class OnnxGroupQueryAttentionTest {
    private static final int HEADS = 4;
    private static final int WIDTH = 16;
    private static final RotaryEmbedding ROTARY =
            RotaryEmbedding.builder(WIDTH, 12).build();

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    private static Tensor integers(int... numbers) {
        Tensor tensor = Tensor.zeros(DType.INT32, numbers.length);
        tensor.bytes().asIntBuffer().put(numbers);
        return tensor;
    }

    /** All of a text of 10 tokens, or a part of it. */
    private static Map<String, Tensor> inputs(Tensor query, Tensor keyAndValue, int from, int to) {
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        inputs.put("query", query.slice(1, from, to).contiguous());
        inputs.put("key", keyAndValue.slice(1, from, to).contiguous());
        inputs.put("value", keyAndValue.slice(1, from, to).contiguous());
        inputs.put("seqlens_k", integers(to - 1));
        inputs.put("total_sequence_length", integers(to));
        inputs.put("cos_cache", ROTARY.cosines());
        inputs.put("sin_cache", ROTARY.sines());
        return inputs;
    }

    /** A prompt and then token by token in one buffer gives what the whole text gives at once. */
    @ParameterizedTest
    @MethodSource("engines")
    void aTextInStepsIsTheTextAtOnce(EngineInfo info) {
        Tensor query = Tensor.random(1, 1, 10, HEADS * WIDTH);
        Tensor keyAndValue = Tensor.random(2, 1, 10, 2 * WIDTH);
        OnnxGroupQueryAttention node =
                OnnxGroupQueryAttention.builder(HEADS, 2).doRotary(true).build();
        OnnxGroupQueryAttention shared = OnnxGroupQueryAttention.builder(HEADS, 2)
                .doRotary(true)
                .pastPresentShareBuffer(true)
                .build();
        try (AttentionEngine engine = TestEngines.open(info);
                OnnxAttentionResult whole = node.run(engine, inputs(query, keyAndValue, 0, 10));
                Tensor presentKey = whole.presentKey();
                Tensor presentValue = whole.presentValue();
                Tensor key = engine.zeros(DType.FLOAT32, 1, 2, 12, WIDTH);
                Tensor value = engine.zeros(DType.FLOAT32, 1, 2, 12, WIDTH)) {
            assertThat(presentValue.isOnHost()).isEqualTo(key.isOnHost());
            check(engine, whole.output(), query, presentKey, presentValue);
            for (int from = 0, to = 6; to <= 10; from = to++) {
                Map<String, Tensor> step = inputs(query, keyAndValue, from, to);
                step.put("past_key", key);
                step.put("past_value", value);
                try (OnnxAttentionResult part = shared.run(engine, step)) {
                    assertThat(part.presentKey()).isSameAs(key);
                    float[] want = whole.output().slice(1, from, to).toFloatArray();
                    float[] got = part.output().toFloatArray();
                    for (int n = 0; n < want.length; n++) {
                        assertThat((double) got[n]).isCloseTo(want[n], within(2e-6));
                    }
                }
            }
            assertThat(key.slice(2, 0, 10).toFloatArray()).isEqualTo(presentKey.toFloatArray());
            assertThat(value.slice(2, 0, 10).toFloatArray()).isEqualTo(presentValue.toFloatArray());
        }
    }

    /** The output is plain causal attention of turned queries over the presents. */
    private static void check(
            AttentionEngine engine, Tensor output, Tensor query, Tensor presentKey, Tensor presentValue) {
        Tensor heads = query.reshape(1, 10, HEADS, WIDTH).permute(0, 2, 1, 3);
        try (AttentionResult plain = engine.attend(
                engine.rotate(heads, ROTARY, 0), presentKey, presentValue, Attention.causal(Alignment.TOP_LEFT))) {
            float[] want = plain.output().permute(0, 2, 1, 3).contiguous().toFloatArray();
            assertThat(output.toFloatArray()).isEqualTo(want);
        }
    }

    /** Half precision, and a query on the device: results in the query's type, where it is. */
    @ParameterizedTest
    @MethodSource("engines")
    void resultsAreInTheQuerysTypeWhereItIs(EngineInfo info) {
        OnnxGroupQueryAttention node =
                OnnxGroupQueryAttention.builder(2, 2).doRotary(true).build();
        for (int length : new int[] {1, 3}) {
            Map<String, Tensor> inputs = new LinkedHashMap<>();
            Tensor packed = Tensor.random(3, 2, length, 6 * WIDTH).to(DType.FLOAT16);
            inputs.put("seqlens_k", integers(length - 1, length - 1));
            inputs.put("total_sequence_length", integers(length));
            inputs.put("cos_cache", ROTARY.cosines().to(DType.FLOAT16));
            inputs.put("sin_cache", ROTARY.sines().to(DType.FLOAT16));
            try (AttentionEngine engine = TestEngines.open(info);
                    Tensor there = engine.upload(packed)) {
                for (Tensor query : new Tensor[] {packed, there}) {
                    inputs.put("query", query);
                    try (OnnxAttentionResult result = node.run(engine, inputs);
                            Tensor key = result.presentKey();
                            Tensor value = result.presentValue()) {
                        assertThat(result.output().dtype()).isEqualTo(DType.FLOAT16);
                        assertThat(result.output().isOnHost()).isEqualTo(query.isOnHost());
                        assertThat(key.dtype()).isEqualTo(DType.FLOAT16);
                        Tensor first = packed.slice(1, 0, 1).slice(2, 4 * WIDTH, 6L * WIDTH);
                        assertThat(result.output().slice(1, 0, 1).toFloatArray())
                                .as("the first token attends to itself")
                                .isEqualTo(first.toFloatArray());
                        assertThat(value.slice(2, 0, 1).toFloatArray()).isEqualTo(first.toFloatArray());
                    }
                }
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefusedByName() {
        Map<String, Tensor> good =
                inputs(Tensor.random(1, 1, 10, HEADS * WIDTH), Tensor.random(2, 1, 10, 2 * WIDTH), 9, 10);
        Tensor past = Tensor.random(3, 1, 2, 9, WIDTH);
        good.put("past_key", past);
        good.put("past_value", past);
        refused(good, "query", null, "query: not given, must be given");
        refused(good, "query", Tensor.random(1, 1, 4, 1, WIDTH), "query: shape [1, 4, 1, 16], must be [batch, length");
        refused(
                good,
                "key",
                Tensor.random(1, 1, 1, WIDTH),
                "key: [batch, heads, length, headDim] [1, 2, 1, 8], must be");
        refused(
                good,
                "value",
                Tensor.random(1, 1, 2, 2 * WIDTH),
                "value: [batch, heads, length, headDim] [1, 2, 2, 16]");
        refused(good, "key", null, "value: given without key, must be packed with it into query");
        refused(good, "seqlens_k", integers(10), "seqlens_k: 10, must be from 0 to 9");
        refused(good, "seqlens_k", integers(9, 9), "seqlens_k: type INT32, shape [2], must be INT32 [1]");
        refused(good, "total_sequence_length", integers(0), "total_sequence_length: 0, must be");
        refused(good, "past_key", null, "past_key: not given, must be given: 9 tokens come before");
        refused(good, "past_value", past.slice(2, 0, 8), "past_value: length 8, must be 9 or more");
        refused(good, "past_value", past.to(DType.FLOAT16), "past_value: type FLOAT16, must be FLOAT32");
        refused(good, "cos_cache", null, "cos_cache: not given, must be given");
        refused(good, "position_ids", integers(1), "position_ids: type INT32, shape [1], must be INT64 [1, 1]");
        refused(good, "head_sink", Tensor.random(1, 3), "head_sink: shape [3], must be [4]");
        refused(good, "attention_bias", Tensor.random(1, 1, 1, 1, 9), "bias: ");
        refused(good, "k_scale", Tensor.random(1, 1), "inputs: k_scale is not known, must be one of [query");
        OnnxGroupQueryAttentionBuilder shared =
                OnnxGroupQueryAttention.builder(HEADS, 2).doRotary(true).pastPresentShareBuffer(true);
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            refused(
                    () -> shared.build().run(engine, good),
                    "past_key: length 9, must be total_sequence_length 10 or more where past and present share");
            past.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> shared.build().run(engine, good))
                    .withMessage("past_key: the tensor is closed, must be open");
        }
        refused(() -> OnnxGroupQueryAttention.builder(4, 3), "numHeads: 4, must be a multiple of kvNumHeads 3");
        refused(() -> OnnxGroupQueryAttention.builder(0, 1), "numHeads: 0, must be 1 or more");
        refused(() -> shared.localWindowSize(0), "localWindowSize: 0, must be -1 (all) or positive");
        refused(() -> shared.softcap(-1), "softcap: -1.0");
        refused(() -> shared.scale(Double.NaN), "scale: NaN");
    }

    private static void refused(Map<String, Tensor> good, String name, Tensor given, String message) {
        Map<String, Tensor> bad = new LinkedHashMap<>(good);
        bad.remove(name);
        if (given != null) {
            bad.put(name, given);
        }
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            refused(
                    () -> OnnxGroupQueryAttention.builder(HEADS, 2)
                            .doRotary(true)
                            .build()
                            .run(engine, bad),
                    message);
        }
    }

    private static void refused(Runnable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call::run).withMessageStartingWith(message);
    }
}
