package dev.attention4j.bench.decoder;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.SafetensorsFile;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** The weights of a model by the names that Llama's files have for them; matrices are [outputs, inputs]. */
public final class DecoderWeights {
    static final String EMBEDDINGS = "model.embed_tokens.weight";
    static final String NORM = "model.norm.weight";
    static final String OUTPUT = "lm_head.weight";
    static final String ATTENTION_NORM = "input_layernorm.weight";
    static final String QUERY = "self_attn.q_proj.weight";
    static final String KEY = "self_attn.k_proj.weight";
    static final String VALUE = "self_attn.v_proj.weight";
    static final String ATTENTION_OUTPUT = "self_attn.o_proj.weight";
    static final String FEED_FORWARD_NORM = "post_attention_layernorm.weight";
    static final String GATE = "mlp.gate_proj.weight";
    static final String UP = "mlp.up_proj.weight";
    static final String DOWN = "mlp.down_proj.weight";

    private final Map<String, Tensor> tensors;

    private DecoderWeights(Map<String, Tensor> tensors) {
        this.tensors = tensors;
    }

    /** The name of a layer's tensor. */
    static String layer(int layer, String name) {
        return "model.layers." + layer + "." + name;
    }

    /** The shape of each tensor of a model, in order. */
    private static Map<String, long[]> shapes(DecoderShape shape) {
        long width = shape.width();
        long queries = (long) shape.queryHeads() * shape.headDim();
        long keys = (long) shape.keyValueHeads() * shape.headDim();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(EMBEDDINGS, new long[] {shape.vocabulary(), width});
        for (int layer = 0; layer < shape.layers(); layer++) {
            shapes.put(layer(layer, ATTENTION_NORM), new long[] {width});
            shapes.put(layer(layer, QUERY), new long[] {queries, width});
            shapes.put(layer(layer, KEY), new long[] {keys, width});
            shapes.put(layer(layer, VALUE), new long[] {keys, width});
            shapes.put(layer(layer, ATTENTION_OUTPUT), new long[] {width, queries});
            shapes.put(layer(layer, FEED_FORWARD_NORM), new long[] {width});
            shapes.put(layer(layer, GATE), new long[] {shape.hidden(), width});
            shapes.put(layer(layer, UP), new long[] {shape.hidden(), width});
            shapes.put(layer(layer, DOWN), new long[] {width, shape.hidden()});
        }
        shapes.put(NORM, new long[] {width});
        shapes.put(OUTPUT, new long[] {shape.vocabulary(), width});
        return shapes;
    }

    /** Draws weights of a size that keeps vectors as large as they were. */
    public static DecoderWeights random(DecoderShape shape, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        shapes(shape).forEach((name, sizes) -> {
            Tensor tensor = Tensor.zeros(DType.FLOAT32, sizes);
            FloatBuffer floats = tensor.floats();
            double deviation = sizes.length == 1 ? 0.1 : name.equals(EMBEDDINGS) ? 1 : 1 / Math.sqrt((double) sizes[1]);
            double mean = sizes.length == 1 ? 1 : 0;
            while (floats.hasRemaining()) {
                floats.put((float) (mean + deviation * random.nextGaussian()));
            }
            tensors.put(name, tensor);
        });
        return new DecoderWeights(tensors);
    }

    /**
     * Takes a file's tensors of any float type. Without {@code lm_head.weight} the embeddings are the output's weights too.
     *
     * @throws FileFormatException if a tensor is missing
     * @throws IllegalArgumentException if a tensor has not the shape that the model wants
     */
    public static DecoderWeights of(SafetensorsFile file, DecoderShape shape) throws FileFormatException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (Map.Entry<String, long[]> wanted : shapes(shape).entrySet()) {
            String name = wanted.getKey();
            boolean tied = name.equals(OUTPUT) && file.find(OUTPUT).isEmpty();
            Tensor tensor = tied ? tensors.get(EMBEDDINGS) : file.tensor(name).to(DType.FLOAT32);
            if (!Arrays.equals(tensor.shape(), wanted.getValue())) {
                throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must be "
                        + Arrays.toString(wanted.getValue()) + " for " + shape);
            }
            tensors.put(name, tensor);
        }
        return new DecoderWeights(tensors);
    }

    /** All tensors by name, float32. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** A tensor, float32. */
    Tensor tensor(String name) {
        return tensors.get(name);
    }
}
