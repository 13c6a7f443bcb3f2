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
 */
public final class SafetensorsFile {
    private final String name;
    private final List<String> names;
    private final Map<String, Tensor> tensors;
    private final Map<String, String> metadata;

    SafetensorsFile(String name, List<String> names, Map<String, Tensor> tensors, Map<String, String> metadata) {
        this.name = name;
        this.names = List.copyOf(names);
        this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        this.metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }

    /** {@return the path as given, or the stream's name} */
    public String name() {
        return name;
    }

    /** {@return the names of all tensors of the file, read or not, in the order of their data; unmodifiable} */
    public List<String> names() {
        return names;
    }

    /** {@return the tensors that were read, in the order of their data in the file; unmodifiable} */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    /** {@return the strings under {@code __metadata__}, in the file's order; unmodifiable} */
    public Map<String, String> metadata() {
        return metadata;
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
