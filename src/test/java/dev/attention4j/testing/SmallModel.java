package dev.attention4j.testing;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A model of the same kind as the real one, with random weights and a dozen words: written as its files are. */
public final class SmallModel {
    /** The names that the files have in the jar of the real model. */
    private static final String WEIGHTS = "all-minilm-l6-v2.onnx";

    private static final String TOKENIZER = "all-minilm-l6-v2-tokenizer.json";
    private static final int LAYERS = 2;
    private static final int WIDTH = 48;
    private static final int POSITIONS = 40;
    private static final List<String> WORDS = List.of(
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "train", "left", "station", "on", "time", ".", "un", "##til");

    private final ByteArrayOutputStream graph = new ByteArrayOutputStream();
    private final Random random = new Random(7);
    private int products;

    private SmallModel() {}

    /** Writes both files into a folder. */
    public static void write(Path folder) throws IOException {
        Files.write(folder.resolve(WEIGHTS), onnx());
        Files.write(folder.resolve(TOKENIZER), tokenizer());
    }

    /** Writes both files into a jar. */
    public static void writeJar(Path jar) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new ZipEntry(TOKENIZER));
            out.write(tokenizer());
            out.putNextEntry(new ZipEntry(WEIGHTS));
            out.write(onnx());
        }
    }

    /** Returns the vocabulary's file. */
    public static byte[] tokenizer() throws IOException {
        Map<String, Object> vocabulary = new LinkedHashMap<>();
        WORDS.forEach(word -> vocabulary.put(word, vocabulary.size()));
        return JSON.std.asBytes(Map.of("model", Map.of("type", "WordPiece", "vocab", vocabulary)));
    }

    /** Returns the weights' file. */
    public static byte[] onnx() {
        SmallModel model = new SmallModel();
        model.tensor("embeddings.word_embeddings.weight", WORDS.size(), WIDTH);
        model.tensor("embeddings.position_embeddings.weight", POSITIONS, WIDTH);
        model.tensor("embeddings.token_type_embeddings.weight", 2, WIDTH);
        model.norm("embeddings.LayerNorm");
        for (int layer = 0; layer < LAYERS; layer++) {
            String name = "encoder.layer." + layer;
            for (String projection : List.of("query", "key", "value")) {
                model.linear(name + ".attention.self." + projection, WIDTH, WIDTH);
            }
            model.linear(name + ".attention.output.dense", WIDTH, WIDTH);
            model.norm(name + ".attention.output.LayerNorm");
            model.linear(name + ".intermediate.dense", WIDTH, 4 * WIDTH);
            model.linear(name + ".output.dense", 4 * WIDTH, WIDTH);
            model.norm(name + ".output.LayerNorm");
        }
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        number(file, 1, 8);
        bytes(file, 7, model.graph.toByteArray());
        return file.toByteArray();
    }

    private void norm(String name) {
        tensor(name + ".weight", WIDTH);
        tensor(name + ".bias", WIDTH);
    }

    /** A bias, and a product whose second input has lost its name, as PyTorch's exporter writes it. */
    private void linear(String module, int inputs, int outputs) {
        tensor(module + ".bias", outputs);
        String weight = "onnx::MatMul_" + products++;
        tensor(weight, inputs, outputs);
        ByteArrayOutputStream node = new ByteArrayOutputStream();
        text(node, 1, "input");
        text(node, 1, weight);
        text(
                node,
                3,
                "/"
                        + module.replace("encoder.layer.", "encoder/layer_")
                                .replace('.', '/')
                                .replace("layer_", "layer.")
                        + "/MatMul");
        text(node, 4, "MatMul");
        bytes(graph, 1, node.toByteArray());
    }

    private void tensor(String name, int... shape) {
        ByteArrayOutputStream tensor = new ByteArrayOutputStream();
        int count = 1;
        for (int size : shape) {
            number(tensor, 1, size);
            count *= size;
        }
        number(tensor, 2, 1);
        text(tensor, 8, name);
        ByteBuffer elements = ByteBuffer.allocate(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int n = 0; n < count; n++) {
            elements.putFloat((float) random.nextGaussian() / 2);
        }
        bytes(tensor, 9, elements.array());
        bytes(graph, 5, tensor.toByteArray());
    }

    private static void text(ByteArrayOutputStream out, int field, String text) {
        bytes(out, field, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void bytes(ByteArrayOutputStream out, int field, byte[] content) {
        varint(out, field << 3 | 2);
        varint(out, content.length);
        out.writeBytes(content);
    }

    private static void number(ByteArrayOutputStream out, int field, int value) {
        varint(out, field << 3);
        varint(out, value);
    }

    private static void varint(ByteArrayOutputStream out, int value) {
        int rest = value;
        for (; rest > 0x7F; rest >>>= 7) {
            out.write((rest & 0x7F) | 0x80);
        }
        out.write(rest);
    }
}
