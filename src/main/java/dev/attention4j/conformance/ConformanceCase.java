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
 * What goes in, what must come out, and how it was called: one safetensors file.
 *
 * <p>Tensors are named {@code input.X}, {@code weight.X} and {@code output.X}. The metadata says {@code op} (which
 * {@link Operation} it is a case of) and {@code name}; the rest is the operation's.
 *
 * <p>The smallest case of {@code op} = {@code attention}: {@code input.query} [1, 1, 1, 1] = 1, {@code input.key} [1, 1, 2, 1] =
 * 1, 1, {@code input.value} [1, 1, 2, 1] = 2, 4 and {@code output.output} [1, 1, 1, 1] = 3, which is the mean. Options are a
 * JSON object in the metadata {@code attributes}: {@code scale}, {@code softcap}, {@code causal}, {@code window}, {@code
 * alignment}, {@code offsets}, {@code keyLengths}, {@code cumulativeQueryLengths}, {@code cumulativeKeyLengths}, {@code
 * alibiSlopes}, {@code sinks}. In float32 the output may be off by 1e-5 + 1e-4 · |expected|.
 */
public final class ConformanceCase {
    /**
     * Real attention, which comes with the library: queries, keys and values inside the sentence encoder all-MiniLM-L6-v2
     * (layer 0, 12 heads of width 32), on two English sentences padded to 22 tokens, with its mask, weights and output. The
     * metadata's {@code tokens} names each position.
     */
    public static final Source SENTENCES = new Source("minilm_layer0.safetensors", name -> {
        try (InputStream in = ConformanceCase.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + ": is not in the jar, which must hold it");
            }
            return read(in, name);
        }
    });

    /** Reads a case by its name. */
    @FunctionalInterface
    interface Reader {
        ConformanceCase read(String name) throws IOException;
    }

    /** Where a case can be read from, a file's path or a resource's name; reading is put off until it is run. */
    public record Source(String name, Reader reader) {
        /** Reads the case; an {@link IOException} names what is wrong. */
        public ConformanceCase read() throws IOException {
            return reader.read(name);
        }
    }

    private final SafetensorsFile file;

    private ConformanceCase(SafetensorsFile file) throws FileFormatException {
        this.file = file;
        required("op");
        required("name");
    }

    /**
     * Reads a case.
     *
     * @throws FileFormatException if it is no safetensors file, or its metadata lacks {@code op} or {@code name}
     */
    public static ConformanceCase read(Path path) throws IOException {
        return new ConformanceCase(Safetensors.read(path));
    }

    /**
     * Reads a case from a stream.
     *
     * @throws FileFormatException if it is no safetensors file, or its metadata lacks {@code op} or {@code name}
     */
    public static ConformanceCase read(InputStream in, String name) throws IOException {
        return new ConformanceCase(Safetensors.read(in, name));
    }

    /** Which operation this is a case of. */
    public String op() {
        return file.metadata().get("op");
    }

    /** The case's own name. */
    public String name() {
        return file.metadata().get("name");
    }

    /** Everything that is said about the case, {@code op} and {@code name} among it; unmodifiable. */
    public Map<String, String> metadata() {
        return file.metadata();
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

    private void required(String key) throws FileFormatException {
        if (file.metadata().getOrDefault(key, "").isBlank()) {
            throw new FileFormatException(
                    file.name(),
                    "__metadata__ has no \"" + key + "\", a conformance case must have \"op\" and \"name\"");
        }
    }
}
