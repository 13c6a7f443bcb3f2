package dev.attention4j.testing;

import dev.attention4j.Attention;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.conformance.CaseFile;
import dev.attention4j.io.Safetensors;
import dev.attention4j.reference.ReferenceEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Case files of the op attention, written by tests. */
public final class CaseFiles {
    public static final Tensor QUERY = Tensor.random(1, 1, 2, 3, 4);
    public static final Tensor KEY = Tensor.random(2, 1, 2, 5, 4);
    public static final Tensor VALUE = Tensor.random(3, 1, 2, 5, 4);

    private CaseFiles() {}

    /** Inputs as above; outputs, weights and log-sum-exp of the oracle. */
    public static Map<String, Tensor> tensors(Attention attention) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("input.query", QUERY);
        tensors.put("input.key", KEY);
        tensors.put("input.value", VALUE);
        attention.mask().ifPresent(mask -> tensors.put("input.mask", mask));
        attention.bias().ifPresent(bias -> tensors.put("input.bias", bias));
        Attention all = attention.toBuilder().weights(true).logSumExp(true).build();
        try (ReferenceEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            AttentionResult result = oracle.attend(QUERY, KEY, VALUE, all);
            tensors.put("output.output", result.output());
            tensors.put("output.weights", result.weights());
            tensors.put("output.log_sum_exp", result.logSumExp());
        }
        return tensors;
    }

    public static CaseFile of(Path folder, Map<String, Tensor> tensors, String attributes) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("op", "attention");
        metadata.put("name", "made");
        if (attributes != null) {
            metadata.put("attributes", attributes);
        }
        return of(folder, tensors, metadata);
    }

    public static CaseFile of(Path folder, Map<String, Tensor> tensors, Map<String, String> metadata)
            throws IOException {
        Path path = Files.createTempDirectory(folder, "case").resolve("made.safetensors");
        Safetensors.write(path, tensors, metadata);
        return CaseFile.read(path);
    }
}
