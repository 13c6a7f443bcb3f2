package dev.attention4j.conformance.suite;

import java.util.HashMap;
import java.util.Map;

/** What the cases of each feature test, in words: for readers of a report who do not know the cases by name. */
final class FeatureWords {
    private static final Map<String, String> WORDS = words();

    private FeatureWords() {}

    /** Returns a feature's words; empty for cases that the suite does not have. */
    static String of(String feature) {
        return WORDS.getOrDefault(feature, "");
    }

    private static Map<String, String> words() {
        Map<String, String> words = new HashMap<>();
        words.put("real", "sentences in a real model, against its own runtime");
        words.put("plain", "no options");
        words.put("scale", "the factor of query · key: given, zero, negative");
        words.put("softcap", "scores bounded by tanh");
        words.put("bias", "numbers added to scores, broadcast along any axis");
        words.put("values", "infinity among the values");
        words.put("mask", "true = attend, broadcast along any axis");
        words.put("alibi", "slopes times the distance of query and key");
        words.put("sinks", "a learned logit in the softmax's denominator");
        words.put("order", "all options together, in the promised order");
        words.put("causal", "no key after the query, aligned top-left and bottom-right");
        words.put("offsets", "causal with an offset, one for all or one a batch row");
        words.put("window", "only keys near the query");
        words.put("key-lengths", "batch rows with fewer keys than others");
        words.put("query-mask", "padding among the queries");
        words.put("packed", "sequences one after another in one batch row");
        words.put("heads", "query heads that share heads of keys and values");
        words.put("width", "head widths around all tile widths");
        words.put("length", "numbers of queries and keys around all tile sizes");
        words.put("layout", "tensors that are views: transposed, sliced, broadcast");
        words.put("float16", "tensors stored in half precision");
        words.put("bfloat16", "tensors stored as bfloat16");
        words.put("empty", "no queries, no keys, no batch");
        words.put("unseen", "queries with no key to attend to give 0");
        words.put("leaks", "NaN where a mask hides it changes no bit");
        words.put("repeat", "the same call gives the same bits");
        words.put("resident", "tensors that stay on the device");
        words.put("async", "calls that overlap");
        words.put("log-sum-exp", "the softmax's log-sum-exp as a result");
        words.put("weights", "the softmax's weights as a result");
        words.put("refusal", "bad input is refused, by the argument's name");
        words.put("random", "random problems of all options, by a seed");
        words.put("flash-attn", "the grid of flash-attn's own tests");
        words.put("pytorch", "the grid of PyTorch's own tests");
        words.put("xformers", "the grid of xFormers' own tests");
        words.put("ggml", "the grid of ggml's own tests");
        return words;
    }
}
