package dev.attention4j.onnx;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * A node of ONNX Runtime's operator {@code com.microsoft.GroupQueryAttention}, with which exported language models attend to
 * their cache (<a href="https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md">the operator</a>): its
 * attributes, and a way to run it. Immutable, made by {@link #builder}.
 *
 * <pre>{@code
 * OnnxGroupQueryAttention node = OnnxGroupQueryAttention.builder(32, 8).doRotary(true).build();
 * Map<String, Tensor> inputs = Map.of("query", query, "key", key, "value", value, "seqlens_k", lengths,
 *         "total_sequence_length", total, "cos_cache", cosines, "sin_cache", sines);
 * try (OnnxAttentionResult result = node.run(engine, inputs)) {
 *     Tensor output = result.output();
 * }
 * }</pre>
 *
 * <p>Attention is causal. A call whose sequence length is the total length is a prompt, whose queries have the positions from
 * 0; otherwise the last query of a batch row has the position of the last of its keys. Inputs that are not listed at {@link
 * #run} are refused, such as the scales of quantised caches.
 */
public final class OnnxGroupQueryAttention {
    private static final int LENGTH_AXIS = 2;

    /** The operator's names of the inputs that {@link #run} takes, in its order. */
    public static final List<String> INPUTS = List.of(
            "query",
            "key",
            "value",
            "past_key",
            "past_value",
            "seqlens_k",
            "total_sequence_length",
            "cos_cache",
            "sin_cache",
            "position_ids",
            "attention_bias",
            "head_sink");

    private final OnnxGroupQueryAttentionBuilder attributes;

    OnnxGroupQueryAttention(OnnxGroupQueryAttentionBuilder attributes) {
        this.attributes = attributes;
    }

    /**
     * Starts from the operator's defaults.
     *
     * @param numHeads {@code num_heads}: heads of the query
     * @param kvNumHeads {@code kv_num_heads}: heads of key and value, a divisor of the query's
     * @return to be built
     * @throws IllegalArgumentException if one is not positive, or no divisor of the other
     */
    public static OnnxGroupQueryAttentionBuilder builder(int numHeads, int kvNumHeads) {
        return new OnnxGroupQueryAttentionBuilder(numHeads, kvNumHeads);
    }

    /**
     * Runs the node.
     *
     * @param engine where to compute
     * @param inputs by the operator's names: {@code query} [batch, length, heads · headDim], {@code key} and {@code value}
     *     [batch, length, keyValueHeads · headDim], or query, key and value packed into {@code query} along its last axis;
     *     perhaps {@code past_key} and {@code past_value} [batch, keyValueHeads, any length, headDim]; {@code seqlens_k} INT32
     *     [batch], each row's total length − 1; {@code total_sequence_length} INT32, one number, the longest; {@code
     *     cos_cache} and {@code sin_cache} [positions, turned elements / 2] where rotary, perhaps with {@code position_ids}
     *     INT64 [batch, length], of which a prompt takes only the first one, as the position of each first token; perhaps {@code attention_bias} [batch or 1, heads or 1, length, total length] and {@code
     *     head_sink} [heads]
     * @return output [batch, length, heads · headDim] in the query's type, where the query is; presents [batch,
     *     keyValueHeads, the longer of past and total length, headDim] where the engine computes, which are the pasts
     *     themselves if these are {@linkplain OnnxGroupQueryAttentionBuilder#pastPresentShareBuffer shared} and are the
     *     caller's to close if not
     * @throws IllegalArgumentException if attributes and inputs do not fit each other; says which argument and what it must be
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public OnnxAttentionResult run(AttentionEngine engine, Map<String, Tensor> inputs) {
        return new Call(engine, inputs).run();
    }

    /** One run of the node. */
    private final class Call {
        private final AttentionEngine engine;
        private final Map<String, Tensor> inputs;
        private final Tensor query;
        private final Tensor key;
        private final Tensor value;
        private final int batch;
        private final int length;
        private final int headDim;
        private final int[] totals;
        private final int[] pasts;
        private final int total;

        Call(AttentionEngine engine, Map<String, Tensor> inputs) {
            this.engine = engine;
            this.inputs = inputs;
            for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
                if (!INPUTS.contains(input.getKey())) {
                    throw new IllegalArgumentException(
                            "inputs: " + input.getKey() + " is not known, must be one of " + INPUTS);
                }
                TensorChecks.open(input.getKey(), input.getValue());
            }
            boolean packed = !inputs.containsKey("key");
            int queryHeads = attributes.numHeads;
            int keyHeads = attributes.kvNumHeads;
            Tensor all = needed("query");
            if (packed) {
                if (inputs.containsKey("value")) {
                    throw new IllegalArgumentException("value: given without key, must be packed with it into query");
                }
                Tensor heads =
                        OnnxAttention.toHeads("query", threeAxes("query"), "numHeads", queryHeads + 2 * keyHeads);
                query = heads.slice(1, 0, queryHeads);
                key = heads.slice(1, queryHeads, queryHeads + keyHeads);
                value = heads.slice(1, queryHeads + keyHeads, queryHeads + 2L * keyHeads);
            } else {
                query = OnnxAttention.toHeads("query", threeAxes("query"), "numHeads", queryHeads);
                key = OnnxAttention.toHeads("key", threeAxes("key"), "kvNumHeads", keyHeads);
                value = OnnxAttention.toHeads("value", threeAxes("value"), "kvNumHeads", keyHeads);
            }
            batch = (int) all.size(0);
            length = (int) all.size(1);
            headDim = (int) query.size(3);
            check("key", key, query, batch, keyHeads, length, headDim);
            check("value", value, query, batch, keyHeads, length, headDim);
            total = total();
            totals = Arrays.stream(Integers.of("seqlens_k", needed("seqlens_k"), DType.INT32, total - 1L, batch))
                    .map(last -> last + 1)
                    .toArray();
            boolean prompt = length == total;
            pasts = Arrays.stream(totals)
                    .map(each -> prompt ? 0 : each - length)
                    .toArray();
            if (Arrays.stream(pasts).anyMatch(past -> past < 0)) {
                throw new IllegalArgumentException("seqlens_k: " + Arrays.toString(totals)
                        + " with 1 added, must be the query's length " + length + " or more, but in a prompt");
            }
        }

        OnnxAttentionResult run() {
            Tensor pastKey = past("past_key");
            Tensor pastValue = past("past_value");
            if ((pastKey == null) != (pastValue == null)) {
                throw new IllegalArgumentException("past_key, past_value: only one is given, must be both or neither");
            }
            Rotary rotary = rotary();
            long rows = Math.max(total, pastKey == null ? 0 : pastKey.size(LENGTH_AXIS));
            Attention attention = attention();
            boolean shared = attributes.shareBuffer && pastKey != null;
            if (shared && (pastKey.size(LENGTH_AXIS) < total || pastValue.size(LENGTH_AXIS) < total)) {
                throw new IllegalArgumentException(
                        "past_key: length " + pastKey.size(LENGTH_AXIS) + ", must be total_sequence_length " + total
                                + " or more where past and present share a buffer");
            }
            Tensor presentKey = shared ? pastKey : engine.zeros(key.dtype(), batch, key.size(1), rows, headDim);
            Tensor presentValue = null;
            try {
                presentValue = shared ? pastValue : engine.zeros(key.dtype(), batch, key.size(1), rows, headDim);
                AttentionProblem.of(query, upTo(presentKey), upTo(presentValue), attention);
                List<Tensor> presents = List.of(presentKey, presentValue);
                AttentionResult result;
                if (shared || pastKey == null) {
                    result = append(presents, rotary, attention);
                } else {
                    result = engine.scatter(
                            presents,
                            List.of(pastKey, pastValue),
                            copies(row -> new RowCopy(row, 0, row, 0, pasts[row])),
                            () -> append(presents, rotary, attention));
                }
                return new OnnxAttentionResult(
                        joined(result.output()), presentKey, presentValue, Optional.empty(), result.plan());
            } catch (RuntimeException | Error e) {
                if (!shared) {
                    presentKey.close();
                    if (presentValue != null) {
                        presentValue.close();
                    }
                }
                throw e;
            }
        }

        /** Writes new keys and values after the past, and attends to all. */
        private AttentionResult append(List<Tensor> presents, Rotary rotary, Attention attention) {
            List<RowCopy> added = copies(row -> new RowCopy(row, 0, row, pasts[row], length));
            return turned(
                    key,
                    rotary,
                    turnedKey -> engine.scatter(
                            presents,
                            List.of(turnedKey, value),
                            added,
                            () -> turned(
                                    query,
                                    rotary,
                                    turnedQuery -> engine.attend(
                                            turnedQuery, upTo(presents.get(0)), upTo(presents.get(1)), attention))));
        }

        private AttentionResult turned(Tensor heads, Rotary rotary, Function<Tensor, AttentionResult> then) {
            return rotary == null
                    ? then.apply(heads)
                    : engine.rotate(heads, rotary.embedding, rotary.positions, heads.dtype(), then);
        }

        private Tensor upTo(Tensor present) {
            return present.slice(LENGTH_AXIS, 0, total);
        }

        private List<RowCopy> copies(IntFunction<RowCopy> ofRow) {
            return IntStream.range(0, batch).mapToObj(ofRow).toList();
        }

        /** [batch, length, heads · headDim] of [batch, heads, length, headDim], where that is. */
        private Tensor joined(Tensor output) {
            if (length == 1) {
                return output.reshape(batch, 1, output.size(1) * headDim);
            }
            boolean onHost = output.isOnHost();
            Tensor joined = OnnxAttention.fromHeads(output);
            return onHost ? joined : engine.upload(joined);
        }

        private Attention attention() {
            AttentionBuilder builder =
                    attributes.scoring().causal(Alignment.TOP_LEFT).alignOffsets(pasts);
            if (Arrays.stream(totals).anyMatch(each -> each < total)) {
                builder.keyLengths(totals);
            }
            if (inputs.containsKey("attention_bias")) {
                builder.bias(inputs.get("attention_bias"));
            }
            float[] sinks = attributes.smoothSoftmax ? new float[attributes.numHeads] : new float[0];
            if (inputs.containsKey("head_sink")) {
                Tensor given = inputs.get("head_sink");
                if (given.rank() != 1 || given.size(0) != attributes.numHeads) {
                    throw new IllegalArgumentException("head_sink: shape " + Arrays.toString(given.shape())
                            + ", must be [" + attributes.numHeads + "]");
                }
                sinks = given.toFloatArray();
            }
            return sinks.length == 0 ? builder.build() : builder.sinks(sinks).build();
        }

        /** Angles, and the positions of all new tokens. */
        @SuppressWarnings("ArrayRecordComponent") // Only passed on.
        private record Rotary(RotaryEmbedding embedding, int[] positions) {}

        private Rotary rotary() {
            if (!attributes.rotary) {
                return null;
            }
            RotaryEmbedding embedding =
                    RotaryEmbedding.of(needed("cos_cache"), needed("sin_cache"), attributes.rotaryInterleaved);
            if (embedding.rotaryDim() > headDim || embedding.positions() < total) {
                throw new IllegalArgumentException("cos_cache: " + embedding + ", must turn no more than " + headDim
                        + " elements and have total_sequence_length " + total + " positions or more");
            }
            if (!inputs.containsKey("position_ids")) {
                return new Rotary(embedding, pasts);
            }
            long last = embedding.positions() - 1L;
            int[] given = Integers.of("position_ids", inputs.get("position_ids"), last, batch, length);
            if (length < total || given.length == 0) {
                return new Rotary(embedding, given);
            }
            int[] first = new int[batch];
            Arrays.fill(first, given[0]);
            return new Rotary(embedding, first);
        }

        private Tensor past(String name) {
            Tensor past = inputs.get(name);
            if (past != null) {
                long rows = past.rank() == 4 ? past.size(LENGTH_AXIS) : 0;
                check(name, past, key, batch, attributes.kvNumHeads, rows, headDim);
                if (rows < Arrays.stream(pasts).max().orElse(0)) {
                    throw new IllegalArgumentException(name + ": length " + rows + ", must be "
                            + Arrays.stream(pasts).max().orElse(0) + " or more, the tokens before the new ones");
                }
            } else if (Arrays.stream(pasts).anyMatch(each -> each > 0)) {
                throw new IllegalArgumentException(name + ": not given, must be given: "
                        + Arrays.stream(pasts).max().orElse(0) + " tokens come before the new ones");
            }
            return past;
        }

        private int total() {
            Tensor given = needed("total_sequence_length");
            int[] number = Integers.of(
                    "total_sequence_length",
                    given,
                    DType.INT32,
                    Integer.MAX_VALUE,
                    given.rank() == 0 ? new long[0] : new long[] {1});
            if (number[0] < Math.max(1, length)) {
                throw new IllegalArgumentException("total_sequence_length: " + number[0]
                        + ", must be the query's length " + length + " or more, and 1 or more");
            }
            return number[0];
        }

        private Tensor threeAxes(String name) {
            Tensor tensor = needed(name);
            if (tensor.rank() != 3) {
                throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                        + ", must be [batch, length, heads * headDim]");
            }
            TensorChecks.storage(name, tensor);
            return tensor;
        }

        private Tensor needed(String name) {
            Tensor tensor = inputs.get(name);
            if (tensor == null) {
                throw new IllegalArgumentException(name + ": not given, must be given");
            }
            return tensor;
        }

        private static void check(String name, Tensor tensor, Tensor like, long... shape) {
            TensorChecks.sameType(name, tensor, "the new key", like);
            if (!Arrays.equals(tensor.shape(), shape)) {
                throw new IllegalArgumentException(name + ": [batch, heads, length, headDim] "
                        + Arrays.toString(tensor.shape()) + ", must be " + Arrays.toString(shape));
            }
        }
    }
}
