package dev.attention4j.conformance;

import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * A case in one safetensors file: what goes in, what must come out, and how it was called.
 *
 * <p>Tensors are named {@code input.X}, {@code weight.X} and {@code output.X}. The metadata says {@code op} (one of
 * {@link FileCases#OPERATIONS}) and {@code name}; the rest is the operation's.
 *
 * <p>The smallest case of {@code op} = {@code attention}: {@code input.query} [1, 1, 1, 1] = 1, {@code input.key} [1, 1, 2, 1] =
 * 1, 1, {@code input.value} [1, 1, 2, 1] = 2, 4 and {@code output.output} [1, 1, 1, 1] = 3, which is the mean. A mask is {@code
 * input.mask}, a bias {@code input.bias} and a mask of the queries {@code input.query_mask}. Other options are a JSON object
 * in the metadata {@code attributes}, as {@link AttentionAttributes} reads them. In float32 the output may be off by 1e-5 + 1e-4 · |expected|.
 *
 * <p>Gradients of a loss are {@code output.query_gradient}, {@code output.key_gradient}, {@code output.value_gradient} and {@code
 * output.bias_gradient}, each of the shape of what it belongs to, from the loss's gradient by the output, {@code
 * input.output_gradient}.
 */
public final class CaseFile {
    private static final String SENTENCES = "minilm_layer0.safetensors";

    private final SafetensorsFile file;

    private CaseFile(SafetensorsFile file) throws FileFormatException {
        this.file = file;
        for (String key : new String[] {"op", "name"}) {
            if (metadata(key, "").isBlank()) {
                throw new FileFormatException(
                        file.name(),
                        "__metadata__ has no \"" + key + "\", a conformance case must have \"op\" and \"name\"");
            }
        }
    }

    /**
     * Reads a case.
     *
     * @throws FileFormatException if it is no safetensors file, or its metadata lacks {@code op} or {@code name}
     */
    public static CaseFile read(Path path) throws IOException {
        return new CaseFile(Safetensors.read(path));
    }

    /**
     * Reads real attention, which comes with the library: queries, keys and values inside the sentence encoder
     * all-MiniLM-L6-v2 (layer 0, 12 heads of width 32), on two English sentences padded to 22 tokens, with its mask, weights
     * and output. The metadata's {@code tokens} names each position.
     */
    public static CaseFile sentences() throws IOException {
        return builtIn(SENTENCES);
    }

    /** Reads a case that comes with the library, by the name of its file here. */
    public static CaseFile builtIn(String name) throws IOException {
        try (InputStream in = CaseFile.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + ": is not in the jar, which must hold it");
            }
            return new CaseFile(Safetensors.read(in, name));
        }
    }

    /** The operation that this is a case of. */
    public String op() {
        return metadata("op", "");
    }

    /** The case's own name. */
    public String name() {
        return metadata("name", "");
    }

    /** An entry of the metadata. */
    public String metadata(String key, String whereAbsent) {
        return file.metadata().getOrDefault(key, whereAbsent);
    }

    /** The file's own name, with which messages begin. */
    public String fileName() {
        return file.name();
    }

    /** Every tensor, by its full name; unmodifiable. */
    public Map<String, Tensor> tensors() {
        return file.tensors();
    }

    /**
     * A tensor that must be there.
     *
     * @throws FileFormatException if there is none; lists what the file holds
     */
    public Tensor tensor(String fullName) throws FileFormatException {
        return file.tensor(fullName);
    }

    /** A tensor that may be there; empty if there is none. */
    public Optional<Tensor> find(String fullName) {
        return file.find(fullName);
    }
}
