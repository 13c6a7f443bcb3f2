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
 * Turns safetensors files of PyTorch and Transformers into Keras's shapes. A projection is stored like PyTorch's linear
 * layers: a weight [outputs, features], the outputs of all heads one after another, and a bias [outputs] or none. {@code
 * nn.MultiheadAttention} stores query, key and value in one tensor, one below the other, if they have equally many features.
 */
final class TorchWeights {
    private static final String STACKED = "in_proj_weight";
    private static final String STACKED_BIAS = "in_proj_bias";
    private static final String OUT = "out_proj.weight";
    private static final String OUT_BIAS = "out_proj.bias";
    private static final List<String> INPUTS = List.of(LayerOptions.QUERY, LayerOptions.KEY, LayerOptions.VALUE);
    private static final Map<String, String> SEPARATE = Map.of(
            LayerOptions.QUERY,
            "q_proj_weight",
            LayerOptions.KEY,
            "k_proj_weight",
            LayerOptions.VALUE,
            "v_proj_weight");

    /** The names of query, key, value and output in model families. */
    private static final List<List<String>> FAMILIES = List.of(
            List.of("q_proj", "k_proj", "v_proj", "o_proj"),
            List.of("q_proj", "k_proj", "v_proj", "out_proj"),
            List.of("self.query", "self.key", "self.value", "output.dense"));

    /** The projections that a family names, in its order. */
    private static final List<String> PROJECTIONS =
            List.of(LayerOptions.QUERY, LayerOptions.KEY, LayerOptions.VALUE, LayerOptions.OUTPUT);

    /** The names between the prefix of a block and its attention. */
    private static final List<String> BLOCK_PARTS = List.of("", "self_attn.", "attention.", "attn.");

    /** Tensors next to the projections that are not part of the attention, or follow from the rest. */
    private static final List<String> NOT_WEIGHTS = List.of("output.LayerNorm.", "rotary_emb.inv_freq");

    private final SafetensorsFile file;
    private final String prefix;
    private final int heads;

    private TorchWeights(SafetensorsFile file, String prefix, int heads) {
        this.file = file;
        this.prefix = prefix;
        this.heads = heads;
    }

    /** Reads one {@code nn.MultiheadAttention}, after a prefix. */
    static LayerWeights ofModule(Path path, String prefix, int heads) throws IOException {
        return new TorchWeights(Safetensors.read(path, name -> name.startsWith(prefix)), prefix, heads).read();
    }

    private LayerWeights read() throws FileFormatException {
        Tensor out = matrix(OUT);
        long embedding = out.size(0);
        expect(OUT, out, embedding, embedding);
        if (embedding % heads != 0) {
            throw wrongShape(OUT, out, "a multiple of " + heads + " rows, one part for each head");
        }
        boolean stacked = file.find(prefix + STACKED).isPresent();
        boolean biased = file.find(prefix + STACKED_BIAS).isPresent();
        if (!stacked && file.find(prefix + SEPARATE.get(LayerOptions.QUERY)).isEmpty()) {
            throw refused("the projection of the query is not there, must be: " + name(STACKED) + ", or "
                    + name(SEPARATE.get(LayerOptions.QUERY)) + " and so on");
        }
        Set<String> known = new TreeSet<>(Set.of(OUT));
        known.addAll(stacked ? Set.of(STACKED) : SEPARATE.values());
        if (biased) {
            known.addAll(Set.of(STACKED_BIAS, OUT_BIAS));
        }
        // bias_k and bias_v, additional keys, would change the result.
        checkNoOther(known, List.of());
        Map<String, Tensor> weights = new LinkedHashMap<>();
        for (int n = 0; n < INPUTS.size(); n++) {
            String input = INPUTS.get(n);
            long from = n * embedding;
            Tensor kernel = stacked ? rows(STACKED, from, embedding) : matrix(SEPARATE.get(input));
            // Key and value may have other features than the query, unless one matrix holds all three.
            boolean free = !stacked && !input.equals(LayerOptions.QUERY);
            expect(stacked ? STACKED : SEPARATE.get(input), kernel, embedding, free ? kernel.size(1) : embedding);
            weights.put(input + KERNEL, toHeads(kernel, embedding));
            if (biased) {
                Tensor bias = vector(STACKED_BIAS, 3 * embedding).slice(0, from, from + embedding);
                weights.put(input + BIAS, bias.contiguous().reshape(heads, embedding / heads));
            }
        }
        weights.put(
                LayerOptions.OUTPUT + KERNEL,
                out.permute(1, 0).contiguous().reshape(heads, embedding / heads, embedding));
        if (biased) {
            weights.put(LayerOptions.OUTPUT + BIAS, vector(OUT_BIAS, embedding));
        }
        return LayerWeights.ofFile(file.name(), weights, name -> prefix + inTorch(name, stacked), file.names());
    }

    /** [outputs of all heads, features] → [features, heads, outputs of one]. */
    private Tensor toHeads(Tensor kernel, long embedding) {
        return kernel.permute(1, 0).contiguous().reshape(kernel.size(1), heads, embedding / heads);
    }

    private Tensor rows(String name, long from, long count) throws FileFormatException {
        Tensor all = matrix(name);
        expect(name, all, 3 * count, count);
        return all.slice(0, from, from + count);
    }

    private Tensor matrix(String name) throws FileFormatException {
        Tensor tensor = file.tensor(prefix + name);
        if (tensor.rank() != 2) {
            throw wrongShape(name, tensor, "2 axes [outputs, features]");
        }
        return tensor;
    }

    private Tensor vector(String name, long size) throws FileFormatException {
        Tensor tensor = file.tensor(prefix + name);
        if (tensor.rank() != 1 || tensor.size(0) != size) {
            throw wrongShape(name, tensor, "[" + size + "]");
        }
        return tensor;
    }

    private void expect(String name, Tensor tensor, long rows, long columns) throws FileFormatException {
        if (tensor.size(0) != rows || tensor.size(1) != columns) {
            throw wrongShape(name, tensor, "[" + rows + ", " + columns + "]");
        }
    }

    private FileFormatException wrongShape(String name, Tensor tensor, String mustBe) {
        return refused(name(name) + " has the shape " + Arrays.toString(tensor.shape()) + ", must have " + mustBe);
    }

    private FileFormatException refused(String problem) {
        return new FileFormatException(
                file.name(), problem + "; the file holds " + FileFormatException.listed(file.names()));
    }

    /** Refuses other tensors of the attention, which would change the result. */
    private void checkNoOther(Set<String> known, List<String> ignored) throws FileFormatException {
        for (String there : file.names()) {
            String own = there.startsWith(prefix) ? there.substring(prefix.length()) : null;
            if (own != null && !known.contains(own) && ignored.stream().noneMatch(own::startsWith)) {
                throw refused(FileFormatException.quoted(there) + " is not a weight of such a layer, must be one of "
                        + known + (prefix.isEmpty() ? "" : " after " + FileFormatException.quoted(prefix)));
            }
        }
    }

    private String name(String name) {
        return FileFormatException.quoted(prefix + name);
    }

    private static String inTorch(String name, boolean stacked) {
        boolean isBias = name.endsWith(BIAS);
        String projection = name.substring(0, name.lastIndexOf('.'));
        if (projection.equals(LayerOptions.OUTPUT)) {
            return isBias ? OUT_BIAS : OUT;
        }
        return isBias ? STACKED_BIAS : stacked ? STACKED : SEPARATE.getOrDefault(projection, name);
    }

    // ---- models of Transformers

    /** Reads the projections of a Transformers model's attention, after a prefix of the whole or of a block. */
    static LayerWeights ofModel(Path path, String prefix, int heads, int keyValueHeads) throws IOException {
        SafetensorsFile file = Safetensors.read(path, name -> name.startsWith(prefix));
        for (String part : BLOCK_PARTS) {
            for (List<String> family : FAMILIES) {
                if (file.find(prefix + part + family.get(0) + ".weight").isPresent()
                        && file.find(prefix + part + family.get(3) + ".weight").isPresent()) {
                    return new TorchWeights(file, prefix + part, heads).read(family, keyValueHeads);
                }
            }
        }
        throw new TorchWeights(file, prefix, heads)
                .refused("no attention after " + FileFormatException.quoted(prefix)
                        + ", must be q_proj, k_proj, v_proj and o_proj (or out_proj), or self.query, self.key, self.value"
                        + " and output.dense, each with .weight");
    }

    private LayerWeights read(List<String> names, int keyValueHeads) throws FileFormatException {
        // Norms of query and key, for example, would change the result.
        Set<String> known = new TreeSet<>();
        names.forEach(name -> known.addAll(List.of(name + ".weight", name + ".bias")));
        checkNoOther(known, NOT_WEIGHTS);
        Map<String, Tensor> weights = new LinkedHashMap<>();
        Map<String, String> sources = new LinkedHashMap<>();
        boolean biased = false;
        for (int n = 0; n < names.size(); n++) {
            String projection = PROJECTIONS.get(n);
            String name = names.get(n);
            boolean isOutput = projection.equals(LayerOptions.OUTPUT);
            Tensor matrix = matrix(name + ".weight");
            if (matrix.elementCount() == 0) {
                throw wrongShape(name + ".weight", matrix, "2 axes [outputs, features]");
            }
            int parts = isOutput || projection.equals(LayerOptions.QUERY) ? heads : keyValueHeads;
            int split = isOutput ? 1 : 0;
            if (matrix.size(split) % parts != 0) {
                throw wrongShape(
                        name + ".weight",
                        matrix,
                        "a multiple of " + parts + " on axis " + split + ", one part for each head");
            }
            long width = matrix.size(split) / parts;
            Tensor transposed = matrix.permute(1, 0).contiguous();
            weights.put(
                    projection + KERNEL,
                    isOutput
                            ? transposed.reshape(parts, width, matrix.size(0))
                            : transposed.reshape(matrix.size(1), parts, width));
            sources.put(projection + KERNEL, prefix + name + ".weight");
            sources.put(projection + BIAS, prefix + name + ".bias");
            biased |= file.find(prefix + name + ".bias").isPresent();
        }
        if (biased) {
            for (int n = 0; n < names.size(); n++) {
                addBias(PROJECTIONS.get(n), names.get(n), weights);
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
        if (bias != null && (bias.rank() != 1 || bias.size(0) != AttendedAxes.product(shape))) {
            throw wrongShape(name + ".bias", bias, "[" + AttendedAxes.product(shape) + "]");
        }
        weights.put(
                projection + BIAS,
                bias == null
                        ? Tensor.zeros(DType.FLOAT32, shape)
                        : bias.contiguous().reshape(shape));
    }
}
