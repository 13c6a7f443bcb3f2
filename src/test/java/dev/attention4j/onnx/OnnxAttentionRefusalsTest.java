package dev.attention4j.onnx;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Bad attributes and inputs: each refusal names the argument, what it was and what it must be. */
class OnnxAttentionRefusalsTest {
    private static final OnnxAttention PLAIN = OnnxAttention.builder().build();
    private static final OnnxAttention HEADS =
            OnnxAttention.builder().qNumHeads(4).kvNumHeads(2).build();

    private final AttentionEngine engine = AttentionEngine.open("cpu");
    private final Tensor query = Tensor.random(1, 2, 4, 3, 8);
    private final Tensor key = Tensor.random(2, 2, 2, 5, 8);
    private final OnnxAttentionInputs good = OnnxAttentionInputs.of(query, key, key);

    @AfterEach
    void close() {
        engine.close();
    }

    private void refused(OnnxAttention node, OnnxAttentionInputs inputs, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> node.run(engine, inputs))
                .withMessageContaining(message);
    }

    @Test
    void headsAndAxes() {
        Tensor hidden = Tensor.random(1, 2, 3, 32);
        OnnxAttentionInputs threeAxes = OnnxAttentionInputs.of(hidden, hidden, hidden);
        refused(PLAIN, threeAxes, "qNumHeads: not given, must be where query has 3 axes: [2, 3, 32]");
        refused(
                OnnxAttention.builder().qNumHeads(4).build(),
                threeAxes,
                "kvNumHeads: not given, must be where key has 3 axes");
        refused(
                OnnxAttention.builder().qNumHeads(5).kvNumHeads(4).build(),
                threeAxes,
                "query: last axis 32, must be a multiple of qNumHeads 5");
        refused(
                OnnxAttention.builder().qNumHeads(3).build(),
                good,
                "qNumHeads: 3, must be the 4 heads of query [2, 4, 3, 8], or left out");
        refused(
                OnnxAttention.builder().kvNumHeads(4).build(),
                good,
                "kvNumHeads: 4, must be the 2 heads of key [2, 2, 5, 8]");
        refused(
                HEADS,
                OnnxAttentionInputs.of(query, hidden, hidden),
                "key: shape [2, 3, 32], must have the 4 axes of query's [2, 4, 3, 8]");
        refused(
                HEADS,
                OnnxAttentionInputs.of(query, key, hidden),
                "value: shape [2, 3, 32], must have the 4 axes of query's [2, 4, 3, 8]");
        refused(
                PLAIN,
                OnnxAttentionInputs.of(Tensor.random(1, 3, 8), key, key),
                "query: shape [3, 8], must be [batch, heads, length, headDim] or");
        refused(PLAIN, OnnxAttentionInputs.of(query, query, key), "value: heads 2, must be 4 as key has");
    }

    @Test
    void types() {
        refused(
                PLAIN,
                OnnxAttentionInputs.of(query.to(DType.FLOAT64), key.to(DType.FLOAT64), key),
                "query: type FLOAT64, must be FLOAT32, FLOAT16 or BFLOAT16");
        refused(
                PLAIN,
                OnnxAttentionInputs.of(query, key, key.to(DType.INT32)),
                "value: type INT32, must be FLOAT32, FLOAT16 or BFLOAT16");
        refused(
                PLAIN,
                OnnxAttentionInputs.of(query, key.to(DType.FLOAT16), key),
                "key: type FLOAT16, must be FLOAT32 as query has");
    }

    @Test
    void theCache() {
        Tensor past = Tensor.random(3, 2, 2, 4, 8);
        OnnxAttentionInputs lonely = new OnnxAttentionInputs(
                query, key, key, good.attnMask(), Optional.of(past), good.pastValue(), good.nonpadKvSeqlen());
        refused(PLAIN, lonely, "pastValue: not given, must be given with pastKey");
        OnnxAttentionInputs valuesAlone = new OnnxAttentionInputs(
                query, key, key, good.attnMask(), good.pastKey(), Optional.of(past), good.nonpadKvSeqlen());
        refused(PLAIN, valuesAlone, "pastKey: not given, must be given with pastValue");
        refused(
                PLAIN,
                good.withPast(past, past).withNonpadKvSeqlen(1, 1),
                "nonpadKvSeqlen: given with pastKey, must be given without");
        refused(
                PLAIN,
                good.withPast(Tensor.random(3, 2, 2, 4, 7), past),
                "pastKey: shape [2, 2, 4, 7], must be [2, 2, 5, 8] as key is, [batch, heads, length, headDim], but for");
        refused(PLAIN, good.withPast(past, Tensor.random(3, 2, 4, 8)), "pastValue: shape [2, 4, 8], must be");
        refused(
                PLAIN,
                good.withPast(past, Tensor.random(3, 2, 2, 3, 8)),
                "pastValue: length 3, must be 4 as pastKey has");
        refused(
                PLAIN,
                good.withPast(past.to(DType.FLOAT16), past),
                "pastKey: type FLOAT16, must be FLOAT32 as key has");
    }

    @Test
    void lengthsAndMasks() {
        refused(PLAIN, good.withNonpadKvSeqlen(1), "nonpadKvSeqlen: type INT64, shape [1], must be INT64 [2]");
        refused(PLAIN, good.withNonpadKvSeqlen(1, 6), "nonpadKvSeqlen: 6, must be from 0 to 5");
        refused(PLAIN, good.withNonpadKvSeqlen(-1, 5), "nonpadKvSeqlen: -1, must be from 0 to 5");
        refused(
                PLAIN,
                good.withAttnMask(Tensor.random(1, 3, 6)),
                "attnMask: shape [3, 6], must broadcast, right-aligned, to [batch, queryHeads, queryLength,"
                        + " totalLength] = [2, 4, 3, 5]; its last axis may be shorter");
        refused(PLAIN, good.withAttnMask(Tensor.zeros(DType.BOOL, 2, 5)), "attnMask: shape [2, 5], must broadcast");
        refused(PLAIN, good.withAttnMask(Tensor.zeros(DType.BOOL)), "attnMask: shape [], must broadcast");
        refused(PLAIN, good.withAttnMask(Tensor.random(1, 1, 2, 4, 3, 5)), "attnMask: shape [1, 2, 4, 3, 5], must");
    }

    @Test
    void whatIsClosed() {
        Tensor closed = Tensor.random(1, 2, 2, 5, 8);
        closed.close();
        for (OnnxAttentionInputs inputs : new OnnxAttentionInputs[] {
            OnnxAttentionInputs.of(query, closed, key), good.withPast(closed, key), good.withAttnMask(closed)
        }) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> PLAIN.run(engine, inputs))
                    .withMessageContaining("the tensor is closed, must be open");
        }
    }

    /** Small, but shorter than the keys, so that it is wanted whole. */
    @Test
    void aMaskThatIsTooLargeOverAllKeys() {
        int length = 1 << 16;
        Tensor long1 = Tensor.zeros(DType.FLOAT32, 1, 1, length, 1);
        OnnxAttentionInputs inputs = OnnxAttentionInputs.of(long1, long1, long1);
        refused(PLAIN, inputs.withAttnMask(Tensor.of(new boolean[length], length, 1)), "attnMask: over all keys it is");
        refused(PLAIN, inputs.withAttnMask(Tensor.zeros(DType.FLOAT32, length, 1)), "attnMask: over all keys it is");
    }

    @Test
    void attributes() {
        OnnxAttentionBuilder builder = OnnxAttention.builder();
        refused(() -> builder.qNumHeads(0), "qNumHeads: 0, must be 1 or more");
        refused(() -> builder.kvNumHeads(-1), "kvNumHeads: -1, must be 1 or more");
        refused(() -> builder.leftWindowSize(-2), "leftWindowSize: -2, must be -1 (unbounded) or more");
        refused(() -> builder.rightWindowSize(-2), "rightWindowSize: -2, must be -1 (unbounded) or more");
        for (double scale : new double[] {-1, Double.NaN, 1e300}) {
            refused(() -> builder.scale(scale), "scale: " + scale + ", must be a finite float, 0 or more");
        }
        for (double cap : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
            refused(() -> builder.softcap(cap), "softcap: " + cap + ", must be 0 (none) or ");
        }
        refused(() -> builder.softmaxPrecision(DType.INT8), "softmaxPrecision: INT8, must be a float type");
        refused(() -> QkMatmulOutput.of(4), "qkMatmulOutputMode: 4, must be 0 to 3");
        refused(() -> QkMatmulOutput.of(-1), "qkMatmulOutputMode: -1, must be 0 to 3");
    }

    private static void refused(ThrowingCallable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call).withMessageContaining(message);
    }
}
