package dev.attention4j.layers;

import static dev.attention4j.layers.LayerOptions.BIAS;
import static dev.attention4j.layers.LayerOptions.KERNEL;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The projections of a Transformers model's attention in Keras's shapes. They are kept as PyTorch's linear layers are: a
 * weight [outputs, features], the outputs of all heads one after another, and a bias [outputs] or none.
 */
final class HuggingFaceWeights {
    /** What a model family calls query, key, value and output. */
    private record Names(String query, String key, String value, String output) {
        Map<String, String> byProjection() {
            Map<String, String> names = new LinkedHashMap<>();
            names.put(LayerOptions.QUERY, query);
            names.put(LayerOptions.KEY, key);
            names.put(LayerOptions.VALUE, value);
            names.put(LayerOptions.OUTPUT, output);
            return names;
        }
    }

    private static final List<Names> FAMILIES = List.of(
            new Names("q_proj", "k_proj", "v_proj", "o_proj"),
            new Names("q_proj", "k_proj", "v_proj", "out_proj"),
            new Names("self.query", "self.key", "self.value", "output.dense"));

    /** What may come between the prefix of a block and its attention. */
    private static final List<String> BLOCK_PARTS = List.of("", "self_attn.", "attention.", "attn.");

    /** Tensors beside the projections that do not belong to the attention, or say nothing. */
    private static final List<String> NOT_WEIGHTS = List.of("output.LayerNorm.", "rotary_emb.inv_freq");

    private final SafetensorsFile file;
    /** What all names of this attention begin with. */
    private final String prefix;

    private final Names names;

    private HuggingFaceWeights(SafetensorsFile file, String prefix, Names names) {
        this.file = file;
        this.prefix = prefix;
        this.names = names;
    }

    static LayerWeights read(Path path, String prefix, int heads, int keyValueHeads) throws IOException {
        SafetensorsFile file = Safetensors.read(path, name -> name.startsWith(prefix));
        for (String part : BLOCK_PARTS) {
            for (Names family : FAMILIES) {
                if (file.find(prefix + part + family.query + ".weight").isPresent()
                        && file.find(prefix + part + family.output + ".weight").isPresent()) {
                    return new HuggingFaceWeights(file, prefix + part, family).read(heads, keyValueHeads);
                }
            }
        }
        throw new FileFormatException(
                file.name(),
                "no attention after " + FileFormatException.quoted(prefix)
                        + ", must be q_proj, k_proj, v_proj and o_proj"
                        + " (or out_proj), or self.query, self.key, self.value and output.dense, each with .weight; the"
                        + " file holds "
                        + FileFormatException.listed(file.names()));
    }

    private LayerWeights read(int heads, int keyValueHeads) throws FileFormatException {
        checkNoOther();
        Map<String, Tensor> weights = new LinkedHashMap<>();
        Map<String, String> sources = new LinkedHashMap<>();
        boolean biased = false;
        for (Map.Entry<String, String> entry : names.byProjection().entrySet()) {
            String projection = entry.getKey();
            String name = entry.getValue();
            boolean isOutput = projection.equals(LayerOptions.OUTPUT);
            Tensor matrix = matrix(name);
            int parts = isOutput || projection.equals(LayerOptions.QUERY) ? heads : keyValueHeads;
            int split = isOutput ? 1 : 0;
            if (matrix.size(split) % parts != 0) {
                throw wrongShape(
                        name + ".weight",
                        matrix,
                        "a multiple of " + parts + " on axis " + split + ", one part for each head");
            }
            long width = matrix.size(split) / parts;
            Tensor turned = matrix.permute(1, 0).contiguous();
            weights.put(
                    projection + KERNEL,
                    isOutput
                            ? turned.reshape(parts, width, matrix.size(0))
                            : turned.reshape(matrix.size(1), parts, width));
            sources.put(projection + KERNEL, prefix + name + ".weight");
            sources.put(projection + BIAS, prefix + name + ".bias");
            biased |= file.find(prefix + name + ".bias").isPresent();
        }
        if (biased) {
            for (Map.Entry<String, String> entry : names.byProjection().entrySet()) {
                addBias(entry.getKey(), entry.getValue(), weights);
            }
        }
        return LayerWeights.ofFile(
                file.name(), weights, name -> sources.getOrDefault(name, prefix + name), file.names());
    }

    /** A layer has all biases or none: one that is not there is 0. */
    private void addBias(String projection, String name, Map<String, Tensor> weights) throws FileFormatException {
        long[] kernel = weights.get(projection + KERNEL).shape();
        long[] shape =
                projection.equals(LayerOptions.OUTPUT) ? new long[] {kernel[2]} : new long[] {kernel[1], kernel[2]};
        Tensor bias = file.find(prefix + name + ".bias").orElse(null);
        if (bias != null && (bias.rank() != 1 || bias.size(0) != Sizes.product(shape))) {
            throw wrongShape(name + ".bias", bias, "[" + Sizes.product(shape) + "]");
        }
        weights.put(
                projection + BIAS,
                bias == null
                        ? Tensor.zeros(DType.FLOAT32, shape)
                        : bias.contiguous().reshape(shape));
    }

    private Tensor matrix(String name) throws FileFormatException {
        Tensor tensor = file.tensor(prefix + name + ".weight");
        if (tensor.rank() != 2 || tensor.elementCount() == 0) {
            throw wrongShape(name + ".weight", tensor, "2 axes [outputs, features]");
        }
        return tensor;
    }

    private FileFormatException wrongShape(String name, Tensor tensor, String mustBe) {
        return new FileFormatException(
                file.name(),
                FileFormatException.quoted(prefix + name) + " has the shape " + Arrays.toString(tensor.shape())
                        + ", must have " + mustBe + "; the file holds "
                        + FileFormatException.listed(file.names()));
    }

    /** What an attention may have besides, norms of query and key say, would change the result. */
    private void checkNoOther() throws FileFormatException {
        Set<String> known = new TreeSet<>();
        names.byProjection().values().forEach(name -> known.addAll(List.of(name + ".weight", name + ".bias")));
        for (String there : file.names()) {
            String own = there.startsWith(prefix) ? there.substring(prefix.length()) : "";
            if (!own.isEmpty() && !known.contains(own) && NOT_WEIGHTS.stream().noneMatch(own::startsWith)) {
                throw new FileFormatException(
                        file.name(),
                        FileFormatException.quoted(there) + " is not a weight of such a layer, must be one of " + known
                                + " after " + FileFormatException.quoted(prefix)
                                + "; the file holds "
                                + FileFormatException.listed(file.names()));
            }
        }
    }
}
