package dev.attention4j.cli.minilm;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.List;

/** The model's first step: what each token means by itself and what its position does, added and normalized. */
final class TokenEmbeddings {
    private static final String MODULE = "embeddings.";

    private final int width;
    private final int positionCount;
    private final FloatBuffer words;
    private final FloatBuffer positions;
    private final FloatBuffer types;
    private final LayerNorm norm;

    TokenEmbeddings(OnnxWeights weights) {
        Tensor positionTable = weights.tensor(MODULE + "position_embeddings.weight");
        positionCount = Math.toIntExact(positionTable.size(0));
        width = Math.toIntExact(positionTable.size(1));
        words = weights.tensor(MODULE + "word_embeddings.weight").floats();
        positions = positionTable.floats();
        types = weights.tensor(MODULE + "token_type_embeddings.weight").floats();
        norm = new LayerNorm(weights, MODULE + "LayerNorm");
    }

    /** The number of positions that the model knows: no sentence may have more tokens. */
    int positionCount() {
        return positionCount;
    }

    /** Looks sentences up. */
    Tensor look(List<SentenceTokens> sentences, int length) {
        return Rows.change(Tensor.zeros(DType.FLOAT32, sentences.size(), length, width), (number, row) -> {
            SentenceTokens sentence = sentences.get(number / length);
            int position = number % length;
            if (position < sentence.length()) {
                Rows.add(row, words, sentence.ids().get(position));
                Rows.add(row, positions, position);
                // All tokens of a text that stands by itself are of the first type.
                Rows.add(row, types, 0);
                norm.apply(row);
            }
        });
    }
}
