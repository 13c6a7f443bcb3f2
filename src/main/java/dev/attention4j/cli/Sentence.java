package dev.attention4j.cli;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Attention;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.AttentionCase;
import dev.attention4j.conformance.CaseFile;
import java.io.IOException;
import java.util.List;

/**
 * A real sentence inside a real model: what the first layer of all-MiniLM-L6-v2 made of it, and what the model's own
 * runtime computed from that.
 *
 * @param text the sentence of batch row 0
 * @param tokens what stands at each position of batch row 0, without the padding
 * @param query [2, 12, 22, 32]: two sentences, 12 heads, padded to 22 tokens
 * @param key as query
 * @param value as query
 * @param attention the operation: the mask hides the padding; asks for weights
 * @param output [2, 12, 22, 32] by the model's runtime
 * @param weights [2, 12, 22, 22] by the model's runtime
 */
record Sentence(
        String text,
        List<String> tokens,
        Tensor query,
        Tensor key,
        Tensor value,
        Attention attention,
        Tensor output,
        Tensor weights) {
    /**
     * Reads it from the jar: the built-in case of the conformance suite.
     *
     * @throws IOException if the jar does not have it, or it is damaged
     */
    static Sentence load() throws IOException {
        CaseFile source = CaseFile.sentences();
        AttentionCase attention = AttentionCase.of(source);
        return new Sentence(
                "The train left the station on time.",
                firstRow(source.metadata("tokens", "[]")),
                attention.query(),
                attention.key(),
                attention.value(),
                attention.attention(),
                attention.expected().get(AttentionCase.OUTPUT),
                attention.expected().get(AttentionCase.WEIGHTS));
    }

    /** The tokens of batch row 0, of a JSON array with an array for each row. */
    private static List<String> firstRow(String tokens) throws IOException {
        return JSON.std.anyFrom(tokens) instanceof List<?> rows && !rows.isEmpty() && rows.get(0) instanceof List<?> row
                ? row.stream().map(String::valueOf).toList()
                : List.of();
    }

    /**
     * The position of a token in the sentence.
     *
     * @throws IllegalArgumentException if it is not in it
     */
    int position(String token) {
        int position = tokens.indexOf(token);
        if (position < 0) {
            throw new IllegalArgumentException("token: \"" + token + "\", must be one of " + tokens);
        }
        return position;
    }

    /**
     * The head in which one token of the sentence looks most at another.
     *
     * @param computed weights [2, 12, 22, 22]
     */
    int headWhere(Tensor computed, String from, String to) {
        int best = 0;
        for (int head = 1; head < computed.size(1); head++) {
            if (weight(computed, head, position(from), position(to))
                    > weight(computed, best, position(from), position(to))) {
                best = head;
            }
        }
        return best;
    }

    /** The weights of the sentence's tokens in one head: [from][to]. */
    double[][] map(Tensor computed, int head) {
        double[][] map = new double[tokens.size()][tokens.size()];
        for (int from = 0; from < map.length; from++) {
            for (int to = 0; to < map.length; to++) {
                map[from][to] = weight(computed, head, from, to);
            }
        }
        return map;
    }

    /** The weights of the sentence's tokens in every head: [12, tokens, tokens]. */
    Tensor heads(Tensor computed) {
        int count = tokens.size();
        return computed.slice(0, 0, 1)
                .slice(2, 0, count)
                .slice(3, 0, count)
                .contiguous()
                .reshape(computed.size(1), count, count);
    }

    private static double weight(Tensor computed, int head, int from, int to) {
        return computed.get(0, head, from, to);
    }
}
