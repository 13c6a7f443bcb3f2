package dev.attention4j.layers;

import static dev.attention4j.layers.LayerOptions.BIAS;
import static dev.attention4j.layers.LayerOptions.KERNEL;

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
 * PyTorch's {@code nn.MultiheadAttention} in Keras's shapes. PyTorch keeps a projection as [outputs, features], the
 * outputs of all heads one after another; those of query, key and value lie in one tensor, one below the other, where
 * their features are equally many.
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

    private final SafetensorsFile file;
    private final String prefix;
    private final int heads;

    private TorchWeights(SafetensorsFile file, String prefix, int heads) {
        this.file = file;
        this.prefix = prefix;
        this.heads = heads;
    }

    static LayerWeights read(Path path, String prefix, int heads) throws IOException {
        return new TorchWeights(Safetensors.read(path, name -> name.startsWith(prefix)), prefix, heads).read();
    }

    private LayerWeights read() throws FileFormatException {
        Tensor out = matrix(OUT);
        long embedding = out.size(0);
        expect(OUT, out, embedding, embedding);
        if (embedding % heads != 0) {
            throw new FileFormatException(
                    file.name(),
                    name(OUT) + " has the shape " + Arrays.toString(out.shape()) + ", must have a multiple of " + heads
                            + " rows, one part for each head");
        }
        boolean stacked = file.find(prefix + STACKED).isPresent();
        boolean biased = file.find(prefix + STACKED_BIAS).isPresent();
        if (!stacked && file.find(prefix + SEPARATE.get(LayerOptions.QUERY)).isEmpty()) {
            throw new FileFormatException(
                    file.name(),
                    "the projection of the query is not there, must be: " + name(STACKED) + ", or "
                            + name(SEPARATE.get(LayerOptions.QUERY)) + " and so on; the file holds "
                            + FileFormatException.listed(file.names()));
        }
        checkNoOther(stacked, biased);
        Map<String, Tensor> weights = new LinkedHashMap<>();
        for (int n = 0; n < INPUTS.size(); n++) {
            String input = INPUTS.get(n);
            long from = n * embedding;
            Tensor kernel = stacked ? rows(STACKED, from, embedding) : matrix(SEPARATE.get(input));
            // Of key and value alone the features may be others than the query's, and not where one matrix holds all
            // three.
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
        return new FileFormatException(
                file.name(),
                name(name) + " has the shape " + Arrays.toString(tensor.shape()) + ", must have " + mustBe
                        + "; the file holds "
                        + FileFormatException.listed(file.names()));
    }

    /** What the module may have besides (bias_k and bias_v, keys of its own) would change the result. */
    private void checkNoOther(boolean stacked, boolean biased) throws FileFormatException {
        Set<String> known = new TreeSet<>(Set.of(OUT));
        known.addAll(stacked ? Set.of(STACKED) : SEPARATE.values());
        if (biased) {
            known.addAll(Set.of(STACKED_BIAS, OUT_BIAS));
        }
        for (String there : file.names()) {
            if (there.startsWith(prefix) && !known.contains(there.substring(prefix.length()))) {
                throw new FileFormatException(
                        file.name(),
                        FileFormatException.quoted(there) + " is not a weight of such a layer, must be one of " + known
                                + (prefix.isEmpty() ? "" : " after " + FileFormatException.quoted(prefix))
                                + "; the file holds "
                                + FileFormatException.listed(file.names()));
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
}
