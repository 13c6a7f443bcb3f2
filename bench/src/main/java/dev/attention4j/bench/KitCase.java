package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.opencl.tuning.StorageName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One line of the kit's grid: what the tensors are stored as, and a shape. */
record KitCase(DType dtype, AttentionShape shape) {
    /** Reads a grid file: a line each, {@code float16 2.16.16.4096.4096.128:causal}; {@code #} starts a comment. */
    static List<KitCase> read(Path file) throws IOException {
        List<KitCase> cases = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        for (int n = 0; n < lines.size(); n++) {
            String line = lines.get(n).replaceFirst("#.*", "").strip();
            if (!line.isEmpty()) {
                try {
                    cases.add(parse(line));
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException(file + " line " + (n + 1) + ": " + e.getMessage(), e);
                }
            }
        }
        if (cases.isEmpty()) {
            throw new IllegalArgumentException(file + ": has no shape, must have at least one line");
        }
        return cases;
    }

    private static KitCase parse(String line) {
        String[] words = line.split("\\s+", -1);
        if (words.length != 2) {
            throw new IllegalArgumentException("\"" + line + "\", must be a storage type and a shape");
        }
        AttentionShape shape = AttentionShape.parse(words[1]);
        if (shape.hasGradients()) {
            throw new IllegalArgumentException("\"" + line + "\", must be a forward pass");
        }
        return new KitCase(StorageName.parse("storage type", words[0]), shape);
    }

    @Override
    public String toString() {
        return StorageName.of(dtype) + " " + shape;
    }
}
