package dev.attention4j.io;

import dev.attention4j.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The content of a safetensors file: named tensors in host memory, and named strings. Immutable except for the tensors'
 * elements.
 *
 * @param name the path as given, or the stream's name
 * @param names the names of all tensors of the file, read or not, in the order of their data
 * @param tensors the tensors that were read, in the order of their data in the file
 * @param metadata the strings under {@code __metadata__}, in the file's order
 */
public record SafetensorsFile(
        String name, List<String> names, Map<String, Tensor> tensors, Map<String, String> metadata) {
    /** Copies the collections, in their order. */
    public SafetensorsFile {
        names = List.copyOf(names);
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }

    /**
     * Returns a tensor that the file must have.
     *
     * @throws FileFormatException if none of that name was read; lists the names in the file
     */
    public Tensor tensor(String tensorName) throws FileFormatException {
        Tensor tensor = tensors.get(tensorName);
        if (tensor == null) {
            throw new FileFormatException(
                    name,
                    "has no tensor " + FileFormatException.quoted(tensorName) + "; it holds "
                            + FileFormatException.listed(names));
        }
        return tensor;
    }

    /** {@return the tensor of a name; empty if the file has none} */
    public Optional<Tensor> find(String tensorName) {
        return Optional.ofNullable(tensors.get(tensorName));
    }

    @Override
    public String toString() {
        return name + " " + tensors;
    }
}
