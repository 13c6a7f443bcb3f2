package dev.attention4j.layers;

import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.KerasFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Finds an attention layer's weights in a file of Keras 3: {@code <layer>/query_dense/vars/0} is the query's kernel and {@code
 * .../1} its bias, and so for {@code key_dense}, {@code value_dense}, {@code output_dense} and {@code gate_dense}.
 * Keras names these groups after the layer's attributes, so that those which have no public property (all of
 * GroupQueryAttention's, and the gate) keep their leading underscore.
 */
final class KerasWeights {
    private static final Pattern WEIGHT =
            Pattern.compile("(?:(.*)/)?(_?)(query|key|value|gate|output)_dense/vars/([01])");

    /** The state of dropout, which Keras stores with the weights; inference does not need it. */
    private static final String RANDOM_STATE = "seed_generator/";

    private KerasWeights() {}

    static LayerWeights read(Path path, String layer) throws IOException {
        KerasFile file = KerasFile.read(path);
        Set<String> paths = new LinkedHashSet<>(file.tensors().keySet());
        paths.addAll(file.unreadable());
        String chosen = choose(layer, layers(paths), file);
        String within = chosen.isEmpty() ? "" : chosen + "/";
        for (String there : file.unreadable()) {
            Matcher weight = WEIGHT.matcher(there);
            if (weight.matches() && layer(weight).equals(chosen)) {
                throw new FileFormatException(
                        file.name(),
                        "data set " + FileFormatException.quoted(there)
                                + " is of a type that HDF5 has no numbers for (bfloat16 is kept so), must be float32,"
                                + " float64 or float16: save the model in one of those");
            }
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, String> names = new LinkedHashMap<>();
        file.tensors().forEach((there, tensor) -> {
            if (there.startsWith(within) && !there.contains(RANDOM_STATE)) {
                Matcher weight = WEIGHT.matcher(there);
                boolean known = weight.matches() && layer(weight).equals(chosen);
                String name = known ? name(weight) : there.substring(within.length());
                tensors.put(name, tensor);
                names.put(name, there);
            }
        });
        boolean allPrivate = file.tensors().containsKey(within + "_query_dense/vars/0");
        return LayerWeights.ofFile(
                file.name(),
                tensors,
                name -> names.getOrDefault(name, within + inKeras(name, allPrivate)),
                file.tensors().keySet());
    }

    /** Returns the group of a weight; empty if the file itself is the layer. */
    private static String layer(Matcher weight) {
        return weight.group(1) == null ? "" : weight.group(1);
    }

    /** Returns the groups that hold a query's kernel. */
    private static Set<String> layers(Set<String> paths) {
        Set<String> layers = new LinkedHashSet<>();
        for (String path : paths) {
            Matcher weight = WEIGHT.matcher(path);
            if (weight.matches()
                    && weight.group(3).equals(LayerOptions.QUERY)
                    && weight.group(4).equals("0")) {
                layers.add(layer(weight));
            }
        }
        return layers;
    }

    private static String choose(String layer, Set<String> layers, KerasFile file) throws FileFormatException {
        if (layers.isEmpty()) {
            throw new FileFormatException(
                    file.name(),
                    "holds no attention layer (a group with query_dense/vars/0 in it); it holds "
                            + FileFormatException.listed(file.tensors().keySet()));
        }
        if (layer == null && layers.size() > 1) {
            throw new FileFormatException(
                    file.name(),
                    "holds " + layers.size() + " attention layers, one must be named; they are "
                            + FileFormatException.listed(layers));
        }
        if (layer != null && !layers.contains(layer)) {
            throw new FileFormatException(
                    file.name(),
                    "has no attention layer " + FileFormatException.quoted(layer) + "; those it has are "
                            + FileFormatException.listed(layers));
        }
        return layer == null ? layers.iterator().next() : layer;
    }

    private static String name(Matcher weight) {
        String dense = weight.group(3);
        String projection = dense.equals("output") ? LayerOptions.OUTPUT : dense;
        return projection + (weight.group(4).equals("0") ? LayerOptions.KERNEL : LayerOptions.BIAS);
    }

    private static String inKeras(String name, boolean allPrivate) {
        boolean isBias = name.endsWith(LayerOptions.BIAS);
        String projection = name.substring(0, name.lastIndexOf('.'));
        String underscore = allPrivate || projection.equals(LayerOptions.GATE) ? "_" : "";
        String dense = projection.equals(LayerOptions.OUTPUT) ? "output" : projection;
        return underscore + dense + "_dense/vars/" + (isBias ? 1 : 0);
    }
}
