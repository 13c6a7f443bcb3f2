package dev.attention4j.cli.minilm;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

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
    /** The number of sentences that are computed at a time. */
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

    /** Reads the model from the class path, and brings its weights to an engine, which stays open. */
    public static MiniLm load(AttentionEngine engine) throws IOException {
        return new MiniLm(ModelFiles.fromClassPath(), engine);
    }

    /** Reads the model from the jar that ships it, or a folder with its files, and brings its weights to an engine. */
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

    /** Splits a sentence into tokens, of which 512 are kept. */
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

    /** Computes the weights of each layer, [heads, tokens, tokens]. */
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

    /** The model's first step: what each token means by itself and what its position does, added and normalized. */
    private static final class TokenEmbeddings {
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
            return LayerNorm.changeRows(Tensor.zeros(DType.FLOAT32, sentences.size(), length, width), (number, row) -> {
                SentenceTokens sentence = sentences.get(number / length);
                int position = number % length;
                if (position < sentence.length()) {
                    LayerNorm.add(row, words, sentence.ids().get(position));
                    LayerNorm.add(row, positions, position);
                    // All tokens of a text that stands by itself are of the first type.
                    LayerNorm.add(row, types, 0);
                    norm.apply(row);
                }
            });
        }
    }

    /**
     * The model's two files: its weights (ONNX) and its tokenizer's vocabulary. They lie in the jar that ships them, or in
     * a folder as Hugging Face's model page has it.
     */
    @SuppressWarnings("ArrayRecordComponent") // Never compared: a pair on its way to the readers.
    record ModelFiles(byte[] weights, byte[] tokenizer) {
        private static final String WEIGHTS = ".onnx";
        private static final String TOKENIZER = "tokenizer.json";

        /** Reads them from the class path, where the jar that ships them is on it. */
        static ModelFiles fromClassPath() throws IOException {
            return new ModelFiles(resource(MiniLm.MODEL), resource(MiniLm.TOKENIZER));
        }

        /** Reads them from a jar or a folder. */
        static ModelFiles read(Path place) throws IOException {
            if (Files.isDirectory(place)) {
                return new ModelFiles(
                        Files.readAllBytes(find(place, WEIGHTS)), Files.readAllBytes(find(place, TOKENIZER)));
            }
            try (ZipFile jar = new ZipFile(place.toFile())) {
                return new ModelFiles(entry(jar, place, WEIGHTS), entry(jar, place, TOKENIZER));
            } catch (ZipException e) {
                throw new IOException(place + ": is no jar (" + e.getMessage() + "), must be one, or a folder", e);
            }
        }

        private static byte[] resource(String name) throws IOException {
            try (InputStream in = MiniLm.class.getResourceAsStream(name)) {
                if (in == null) {
                    throw new FileNotFoundException(name + ": not on the class path");
                }
                return in.readAllBytes();
            }
        }

        /** In the folder itself or in its folder onnx. */
        private static Path find(Path folder, String ending) throws IOException {
            for (Path place : List.of(folder, folder.resolve("onnx"))) {
                if (Files.isDirectory(place)) {
                    try (Stream<Path> files = Files.list(place)) {
                        Optional<Path> found = files.filter(
                                        file -> file.toString().endsWith(ending))
                                .sorted()
                                .findFirst();
                        if (found.isPresent()) {
                            return found.get();
                        }
                    }
                }
            }
            throw new FileNotFoundException(
                    folder + ": has no file *" + ending + ", must hold the model all-MiniLM-L6-v2");
        }

        private static byte[] entry(ZipFile jar, Path place, String ending) throws IOException {
            ZipEntry entry = jar.stream()
                    .filter(one -> one.getName().endsWith(ending))
                    .findFirst()
                    .orElseThrow(() -> new FileNotFoundException(
                            place + ": has no file *" + ending + ", must be the jar of the model all-MiniLM-L6-v2"));
            try (InputStream in = jar.getInputStream(entry)) {
                return in.readAllBytes();
            }
        }
    }
}
