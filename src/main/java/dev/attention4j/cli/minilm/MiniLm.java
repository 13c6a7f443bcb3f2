package dev.attention4j.cli.minilm;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * all-MiniLM-L6-v2: makes of a sentence 384 numbers, such that sentences that mean much the same have much the same
 * direction. Attention and projections are an engine's. May be called from many threads.
 */
public final class MiniLm implements AutoCloseable {
    /** The model as ONNX file, as a resource. */
    public static final String MODEL = "/all-minilm-l6-v2.onnx";

    static final String TOKENIZER = "/all-minilm-l6-v2-tokenizer.json";
    /** By the model's own configuration; its weights do not show it. */
    private static final int HEADS = 12;
    /** So many sentences are computed at a time. */
    private static final int BATCH = 16;

    private final WordPieces tokenizer;
    private final TokenEmbeddings embeddings;
    private final List<EncoderLayer> layers = new ArrayList<>();

    private MiniLm(ModelFiles files, AttentionEngine engine) throws IOException {
        OnnxWeights weights = OnnxWeights.read(files.weights());
        embeddings = new TokenEmbeddings(weights);
        tokenizer = WordPieces.read(new ByteArrayInputStream(files.tokenizer()), embeddings.positionCount());
        for (String name = layer(0); weights.has(name + ".output.dense.bias"); name = layer(layers.size())) {
            layers.add(new EncoderLayer(weights, name, HEADS, engine));
        }
    }

    /**
     * Reads the model from the class path, and brings its weights to an engine.
     *
     * @param engine open, and not closed before the model
     * @throws IOException if it is not on the class path, or damaged
     */
    public static MiniLm load(AttentionEngine engine) throws IOException {
        return new MiniLm(ModelFiles.fromClassPath(), engine);
    }

    /**
     * Reads the model from a jar or a folder, and brings its weights to an engine.
     *
     * @param place the jar that ships the model, or a folder with its ONNX file and tokenizer.json
     * @param engine open, and not closed before the model
     * @throws IOException if it is not there, or damaged
     */
    public static MiniLm load(Path place, AttentionEngine engine) throws IOException {
        return new MiniLm(ModelFiles.read(place), engine);
    }

    /** Returns true if the model is on the class path. */
    public static boolean isOnClassPath() {
        return MiniLm.class.getResource(MODEL) != null;
    }

    private static String layer(int number) {
        return "encoder.layer." + number;
    }

    /**
     * Splits a sentence into tokens.
     *
     * @param sentence any text; what is beyond 512 tokens is cut off
     */
    public SentenceTokens tokenize(String sentence) {
        return tokenizer.tokenize(sentence);
    }

    /**
     * Encodes sentences: the mean of the last layer's rows, of length 1. Batches are padded to their longest sentence.
     */
    public float[][] embed(List<SentenceTokens> sentences) {
        float[][] embedded = new float[sentences.size()][];
        for (int first = 0; first < sentences.size(); first += BATCH) {
            List<SentenceTokens> batch = sentences.subList(first, Math.min(first + BATCH, sentences.size()));
            try (Tensor hidden = run(batch, null)) {
                for (int n = 0; n < batch.size(); n++) {
                    embedded[first + n] =
                            mean(hidden.slice(0, n, n + 1), batch.get(n).length());
                }
            }
        }
        return embedded;
    }

    /** Who attends to whom in a sentence. */
    public List<Tensor> attention(SentenceTokens sentence) {
        List<Tensor> scores = new ArrayList<>();
        run(List.of(sentence), all -> scores.add(copy(all))).close();
        return scores;
    }

    /** [1, heads, length, length] as [heads, length, length], open after the original is closed. */
    private static Tensor copy(Tensor scores) {
        return Tensor.of(scores.floats(), scores.size(1), scores.size(2), scores.size(3));
    }

    private Tensor run(List<SentenceTokens> sentences, Consumer<Tensor> scores) {
        int length = sentences.stream().mapToInt(SentenceTokens::length).max().orElseThrow();
        Tensor keyMask = keyMask(sentences, length);
        Tensor hidden = embeddings.look(sentences, length);
        for (EncoderLayer layer : layers) {
            try (Tensor before = hidden) {
                hidden = layer.apply(before, keyMask, scores);
            }
        }
        return hidden;
    }

    private static Tensor keyMask(List<SentenceTokens> sentences, int length) {
        Tensor mask = Tensor.zeros(DType.BOOL, sentences.size(), length);
        ByteBuffer attend = mask.bytes();
        for (int n = 0; n < sentences.size(); n++) {
            for (int position = 0; position < sentences.get(n).length(); position++) {
                attend.put(n * length + position, (byte) 1);
            }
        }
        return mask;
    }

    private static float[] mean(Tensor rows, int count) {
        int width = Math.toIntExact(rows.size(-1));
        FloatBuffer elements = rows.floats();
        double[] sums = new double[width];
        for (int n = 0; n < count * width; n++) {
            sums[n % width] += elements.get(n);
        }
        double squares = 0;
        for (double sum : sums) {
            squares += sum * sum;
        }
        float[] direction = new float[width];
        for (int n = 0; n < width; n++) {
            direction[n] = (float) (sums[n] / Math.sqrt(squares));
        }
        return direction;
    }

    /** Gives the weights back; the engine stays open. */
    @Override
    public void close() {
        layers.forEach(EncoderLayer::close);
    }
}
