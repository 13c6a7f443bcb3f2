package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.AttentionLayer;
import dev.attention4j.layers.GroupQueryAttention;
import dev.attention4j.layers.LayerBuilder;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.layers.MultiHeadAttention;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The ops {@code keras.MultiHeadAttention} and {@code keras.GroupQueryAttention}: a call of that layer. The metadata's
 * {@code config} is a JSON object with the arguments of Keras's constructor, {@code call} one with those of its call;
 * weights are {@code weight.query.kernel} and so on, in Keras's shapes.
 */
final class KerasOperation implements Operation {
    static final String MULTI_HEAD = "keras.MultiHeadAttention";
    static final String GROUP_QUERY = "keras.GroupQueryAttention";

    private static final String INPUT = "input.";
    private static final String WEIGHT = "weight.";
    private static final String OUTPUT = "output.output";
    private static final String SCORES = "output.scores";
    private static final List<String> INPUTS =
            List.of("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask");
    private static final List<String> CALL = List.of("use_causal_mask", "return_attention_scores");
    private static final Tolerance TOLERANCE = new Tolerance(2e-5, 2e-4);

    /** Reads a constructor's arguments. */
    private interface Config {
        LayerBuilder<?> builder(JsonAttributes config) throws FileFormatException;
    }

    private final String op;
    private final List<String> arguments;
    private final boolean readsQueryMask;
    private final Config config;

    private KerasOperation(String op, List<String> arguments, boolean readsQueryMask, Config config) {
        this.op = op;
        this.readsQueryMask = readsQueryMask;
        this.arguments = new ArrayList<>(arguments);
        this.arguments.addAll(List.of("use_bias", "use_gate", "sliding_window"));
        this.config = config;
    }

    /**
     * Keras's layer (3.6 to 3.16 at least) never reads its argument {@code query_mask}: it puts the mask that the query
     * tensor carries, which is none in a case, in its place. A case's query mask therefore shows in no wanted number.
     */
    static Operation multiHeadAttention() {
        List<String> arguments = List.of("num_heads", "key_dim", "value_dim", "output_shape", "attention_axes");
        return new KerasOperation(MULTI_HEAD, arguments, false, config -> {
            MultiHeadAttention.Builder builder = MultiHeadAttention.builder()
                    .heads(config.wholeNumber("num_heads"))
                    .keyDim(config.wholeNumber("key_dim"));
            config.wholeNumber("value_dim", builder::valueDim);
            config.wholeNumbers("output_shape", builder::outputShape);
            config.wholeNumbers("attention_axes", builder::attentionAxes);
            return builder;
        });
    }

    static Operation groupQueryAttention() {
        List<String> arguments = List.of("head_dim", "num_query_heads", "num_key_value_heads");
        return new KerasOperation(GROUP_QUERY, arguments, true, config -> GroupQueryAttention.builder()
                .headDim(config.wholeNumber("head_dim"))
                .queryHeads(config.wholeNumber("num_query_heads"))
                .keyValueHeads(config.wholeNumber("num_key_value_heads")));
    }

    /** Two calls where the case has scores, as for the op {@code attention}: plain calls are given another plan. */
    @Override
    public List<Call> calls(CaseFile source) throws FileFormatException {
        checkNames(source);
        JsonAttributes call =
                JsonAttributes.parse(source.metadata("call", null), source.fileName(), "call argument", CALL);
        Map<String, Expected> plain = new LinkedHashMap<>();
        plain.put(OUTPUT, expected(source.tensor(OUTPUT)));
        try {
            LayerBuilder<?> builder = builder(source);
            List<Call> calls = new ArrayList<>();
            AttentionInputs inputs = inputs(source, call, false);
            calls.add(new Call(OUTPUT, plain, engine -> run(engine, builder, source, inputs)));
            if (call.flag("return_attention_scores")) {
                Map<String, Expected> all = new LinkedHashMap<>(plain);
                all.put(SCORES, expected(source.tensor(SCORES)));
                AttentionInputs scored = inputs(source, call, true);
                calls.add(new Call(SCORES, all, engine -> run(engine, builder, source, scored)));
            }
            return calls;
        } catch (IllegalArgumentException e) {
            throw new FileFormatException(source.fileName(), e.getMessage(), e);
        }
    }

    private void checkNames(CaseFile source) throws FileFormatException {
        for (String name : source.tensors().keySet()) {
            boolean known = name.startsWith(WEIGHT)
                    || name.equals(OUTPUT)
                    || name.equals(SCORES)
                    || (name.startsWith(INPUT) && INPUTS.contains(name.substring(INPUT.length())));
            if (!known) {
                throw new FileFormatException(
                        source.fileName(),
                        "tensor " + FileFormatException.quoted(name) + " is not known to the op \"" + op
                                + "\", must be a weight, " + OUTPUT + ", " + SCORES + " or " + INPUT + " and one of "
                                + INPUTS);
            }
        }
    }

    private LayerBuilder<?> builder(CaseFile source) throws FileFormatException {
        JsonAttributes json =
                JsonAttributes.parse(source.metadata("config", null), source.fileName(), "config argument", arguments);
        LayerBuilder<?> builder = config.builder(json);
        if (json.isGiven("use_bias")) {
            builder.bias(json.flag("use_bias"));
        }
        if (json.isGiven("use_gate")) {
            builder.gate(json.flag("use_gate"));
        }
        if (json.isGiven("sliding_window")) {
            builder.slidingWindow(json.wholeNumber("sliding_window"));
        }
        return builder;
    }

    private AttentionInputs inputs(CaseFile source, JsonAttributes call, boolean scores) throws FileFormatException {
        return AttentionInputs.builder()
                .query(source.tensor(INPUT + "query"))
                .value(source.tensor(INPUT + "value"))
                .key(source.find(INPUT + "key").orElse(null))
                .queryMask(readsQueryMask ? source.find(INPUT + "query_mask").orElse(null) : null)
                .valueMask(source.find(INPUT + "value_mask").orElse(null))
                .keyMask(source.find(INPUT + "key_mask").orElse(null))
                .attentionMask(source.find(INPUT + "attention_mask").orElse(null))
                .causal(call.flag("use_causal_mask"))
                .scores(scores)
                .build();
    }

    private static Expected expected(Tensor want) {
        return new Expected(want, DType.FLOAT32, TOLERANCE);
    }

    private static Computed run(
            AttentionEngine engine, LayerBuilder<?> builder, CaseFile source, AttentionInputs inputs) {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        source.tensors().forEach((name, tensor) -> {
            if (name.startsWith(WEIGHT)) {
                weights.put(name.substring(WEIGHT.length()), tensor);
            }
        });
        try (AttentionLayer layer = builder.build(engine)) {
            layer.load(LayerWeights.of(weights));
            LayerResult result = layer.call(inputs);
            Map<String, Tensor> outputs = new LinkedHashMap<>();
            outputs.put(OUTPUT, result.output());
            if (inputs.wantsScores()) {
                outputs.put(SCORES, result.scores());
            }
            return new Computed(result.plan(), outputs, result::close);
        }
    }
}
