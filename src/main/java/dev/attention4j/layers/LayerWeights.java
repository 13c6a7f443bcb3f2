package dev.attention4j.layers;

import static dev.attention4j.layers.LayerOptions.BIAS;
import static dev.attention4j.layers.LayerOptions.KERNEL;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.layers.LayerOptions.Widths;
import dev.attention4j.spi.TensorChecks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;
import java.util.function.UnaryOperator;

/**
 * A layer's weights by Keras's names and in Keras's shapes, wherever they come from: {@code query.kernel} [features,
 * heads, width], {@code query.bias} [heads, width], and so for {@code key}, {@code value} and {@code gate}; {@code
 * attention_output.kernel} [heads, width, outputs...] and {@code attention_output.bias} [outputs...]. Immutable except
 * for the tensors' elements. A layer checks them when it loads them ({@link AttentionLayer#load}).
 */
public final class LayerWeights {
    private final String source;
    private final Map<String, Tensor> tensors;
    /** Returns a weight's name in the source. */
    private final UnaryOperator<String> nameInSource;
    /** The source's own names of all that it holds. */
    private final List<String> held;

    LayerWeights(
            String source, Map<String, Tensor> tensors, UnaryOperator<String> nameInSource, Iterable<String> held) {
        this.source = source;
        this.nameInSource = nameInSource;
        Map<String, Tensor> floats = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> floats.put(name, asFloats(name, tensor)));
        this.tensors = Collections.unmodifiableMap(floats);
        List<String> names = new ArrayList<>();
        held.forEach(names::add);
        this.held = List.copyOf(names);
    }

    /** Makes weights of a file's tensors; a wrong type is an error of the file, not of the caller. */
    static LayerWeights ofFile(
            String file, Map<String, Tensor> tensors, UnaryOperator<String> nameInFile, Iterable<String> held)
            throws FileFormatException {
        for (Map.Entry<String, Tensor> weight : tensors.entrySet()) {
            DType dtype = weight.getValue().dtype();
            if (!dtype.isFloat()) {
                throw new FileFormatException(
                        file,
                        FileFormatException.quoted(nameInFile.apply(weight.getKey())) + " is " + dtype
                                + ", a weight must be of a float type");
            }
        }
        return new LayerWeights(file, tensors, nameInFile, held);
    }

    private static Tensor asFloats(String name, Tensor tensor) {
        Objects.requireNonNull(tensor, () -> "weights: \"" + name + "\" is null");
        if (tensor.isClosed()) {
            throw new IllegalStateException("weights: \"" + name + "\" is closed, must be open");
        }
        if (!tensor.dtype().isFloat()) {
            throw new IllegalArgumentException(
                    "weights: \"" + name + "\" is " + tensor.dtype() + ", must be of a float type");
        }
        return tensor.to(DType.FLOAT32).contiguous();
    }

    /**
     * Makes weights of tensors in memory.
     *
     * @param tensors float types on the host, by Keras's names
     * @return those weights; float32 tensors are not copied
     * @throws IllegalArgumentException if one is not of a float type
     * @throws IllegalStateException if one is closed
     */
    public static LayerWeights of(Map<String, Tensor> tensors) {
        return new LayerWeights("the map", tensors, name -> name, tensors.keySet());
    }

    /**
     * Reads a safetensors file, as {@link #write} writes it.
     *
     * @param path a file that holds one layer's weights and nothing else
     * @throws FileFormatException if it is damaged, or a weight is of no float type
     * @throws IOException if it cannot be read
     */
    public static LayerWeights safetensors(Path path) throws IOException {
        return safetensors(path, "");
    }

    /**
     * Reads a part of a safetensors file.
     *
     * @param path a file
     * @param prefix the start of the weights' names, such as {@code encoder.attention.}; other tensors are ignored
     * @throws FileFormatException if it is damaged, or a weight is of no float type
     * @throws IOException if it cannot be read
     */
    public static LayerWeights safetensors(Path path, String prefix) throws IOException {
        Objects.requireNonNull(prefix, "prefix: null, must be what the names begin with, or empty");
        SafetensorsFile file = Safetensors.read(path, name -> name.startsWith(prefix));
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        file.tensors().forEach((name, tensor) -> tensors.put(name.substring(prefix.length()), tensor));
        return ofFile(path.toString(), tensors, name -> prefix + name, file.names());
    }

    /**
     * Reads a file that Keras 3 saved, {@code .weights.h5} or {@code .keras}, with one attention layer in it.
     *
     * @param path the file
     * @throws FileFormatException if it is damaged, or holds no attention layer or several; lists what it holds
     * @throws IllegalStateException if jHDF is not on the class path
     * @throws IOException if it cannot be read
     */
    public static LayerWeights keras(Path path) throws IOException {
        return KerasWeights.read(path, null);
    }

    /**
     * Reads one layer of a file that Keras 3 saved, {@code .weights.h5} or {@code .keras}.
     *
     * @param path the file
     * @param layer the layer's path in it, such as {@code layers/multi_head_attention_1}
     * @throws FileFormatException if it is damaged, or has no attention layer there; lists those that it has
     * @throws IllegalStateException if jHDF is not on the class path
     * @throws IOException if it cannot be read
     */
    public static LayerWeights keras(Path path, String layer) throws IOException {
        return KerasWeights.read(path, layer);
    }

    /**
     * Reads PyTorch's {@code nn.MultiheadAttention} from a safetensors file: {@code in_proj_weight}, or {@code
     * q_proj_weight}, {@code k_proj_weight} and {@code v_proj_weight} where the widths differ, {@code in_proj_bias},
     * {@code out_proj.weight} and {@code out_proj.bias}. The layer to take them has as many heads, and keyDim =
     * embedding ÷ heads. (In that module's masks, true = ignore; in this library's, true = attend.)
     *
     * @param path a file
     * @param prefix the start of the names, such as {@code encoder.layers.0.self_attn.}; may be empty
     * @param heads the module's {@code num_heads}, which its weights do not show
     * @return the weights, copied into Keras's shapes
     * @throws FileFormatException if it is damaged, or a weight is missing, unknown, wrongly shaped or of no float
     *     type; names it
     * @throws IOException if it cannot be read
     */
    public static LayerWeights torch(Path path, String prefix, int heads) throws IOException {
        return TorchWeights.ofModule(
                path, Objects.requireNonNull(prefix, "prefix"), TensorChecks.atLeast("heads", heads, 1));
    }

    /**
     * Reads one attention layer of a safetensors file of a Transformers model: {@code q_proj}, {@code k_proj},
     * {@code v_proj} and {@code o_proj} or {@code out_proj} (Llama, Mistral, Qwen2, BART, Whisper and others), or {@code
     * self.query}, {@code self.key}, {@code self.value} and {@code output.dense} (BERT, RoBERTa). A missing bias is 0
     * if others are there. The layer to take them is a {@link GroupQueryAttention} where the model has fewer key/value heads, else
     * either; it has no bias if the file has none.
     *
     * <p>These are the projections alone: a model that rotates query and key by their position (Llama does) is not the
     * layer's result.
     *
     * @param path a file
     * @param prefix the start of the names, such as {@code model.layers.0.self_attn.} or {@code model.layers.0.}, {@code
     *     bert.encoder.layer.0.attention.} or {@code bert.encoder.layer.0.}; may be empty
     * @param heads the model's {@code num_attention_heads}, which its weights do not show
     * @param keyValueHeads the model's {@code num_key_value_heads}; as many as heads where it has no such number
     * @return the weights, copied into Keras's shapes
     * @throws IllegalArgumentException if a number of heads is below 1
     * @throws FileFormatException if it is damaged, or a weight is missing, unknown, wrongly shaped or of no float
     *     type; names it
     * @throws IOException if it cannot be read
     */
    public static LayerWeights huggingFace(Path path, String prefix, int heads, int keyValueHeads) throws IOException {
        return TorchWeights.ofModel(
                path,
                Objects.requireNonNull(prefix, "prefix"),
                TensorChecks.atLeast("heads", heads, 1),
                TensorChecks.atLeast("keyValueHeads", keyValueHeads, 1));
    }

    /** {@return every weight by Keras's name, unmodifiable, float32 on the host} */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /**
     * Writes a safetensors file that {@link #safetensors(Path)} reads.
     *
     * @param path the file; an existing one is replaced
     * @throws IOException if it cannot be written
     */
    public void write(Path path) throws IOException {
        Safetensors.write(path, tensors, Map.of());
    }

    /**
     * Checks these against a layer.
     *
     * @return the number of features of its inputs
     * @throws IllegalArgumentException naming the weight that is missing, extra or of a wrong shape
     */
    Widths widths(LayerOptions options) {
        Widths widths = new Widths(
                features(LayerOptions.QUERY, options),
                features(LayerOptions.VALUE, options),
                features(LayerOptions.KEY, options));
        Map<String, LayerOptions.Weight> wanted = options.weights(widths);
        wanted.forEach((name, weight) -> {
            long[] shape = present(name).shape();
            if (!Arrays.equals(shape, weight.shape())) {
                throw wrongShape(name, shape, Arrays.toString(weight.shape()));
            }
        });
        for (String name : tensors.keySet()) {
            if (!wanted.containsKey(name)) {
                throw new IllegalArgumentException("weights: " + source + " has " + called(name)
                        + ", for which this layer has no place" + why(name, options) + "; it holds "
                        + FileFormatException.listed(held));
            }
        }
        return widths;
    }

    private long features(String projection, LayerOptions options) {
        String name = projection + KERNEL;
        long[] shape = present(name).shape();
        if (shape.length != 3 || shape[0] == 0) {
            boolean isQuery = projection.equals(LayerOptions.QUERY);
            int heads = isQuery ? options.queryHeads : options.keyValueHeads;
            int width = projection.equals(LayerOptions.VALUE) ? options.valueDim : options.keyDim;
            throw wrongShape(name, shape, "[features, " + heads + ", " + width + "]");
        }
        return shape[0];
    }

    private Tensor present(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("weights: " + source + " has no " + called(name)
                    + ", which this layer must have; it holds " + FileFormatException.listed(held));
        }
        return tensor;
    }

    private IllegalArgumentException wrongShape(String name, long[] was, String mustBe) {
        return new IllegalArgumentException("weights: " + called(name) + " of " + source + " has the shape "
                + Arrays.toString(was) + ", must have " + mustBe + " in this layer; the source holds "
                + FileFormatException.listed(held));
    }

    private String called(String name) {
        String there = nameInSource.apply(name);
        return FileFormatException.quoted(there) + (there.equals(name) ? "" : " (" + name + ")");
    }

    private static String why(String name, LayerOptions options) {
        if (name.startsWith(LayerOptions.GATE + ".") && !options.hasGate) {
            return " (it was built without a gate)";
        }
        return name.endsWith(BIAS) && !options.hasBias ? " (it was built without biases)" : "";
    }

    @Override
    public String toString() {
        StringJoiner weights = new StringJoiner(", ", "{", "}");
        tensors.forEach((name, tensor) -> weights.add(name + "=" + Arrays.toString(tensor.shape())));
        return "LayerWeights from " + source + " " + weights;
    }
}
