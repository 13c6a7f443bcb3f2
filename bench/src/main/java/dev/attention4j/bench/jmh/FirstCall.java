package dev.attention4j.bench.jmh;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;

/** A whole program that opens an engine, calls it once and ends: what {@link StartBenchmark} starts again and again. */
public final class FirstCall {
    /** The engine's name that stands for no engine at all. */
    static final String NOTHING = "nothing";

    private FirstCall() {}

    /**
     * Runs it.
     *
     * @param args the engine, as {@code --device} of the command line takes it, or {@code nothing}
     */
    public static void main(String[] args) {
        try (Tensor query = Tensor.random(1, 1, 8, 128, 64);
                Tensor key = Tensor.random(2, 1, 8, 128, 64);
                Tensor value = Tensor.random(3, 1, 8, 128, 64)) {
            if (args[0].equals(NOTHING)) {
                return;
            }
            try (AttentionEngine engine = AttentionEngine.open(args[0]);
                    AttentionResult result = engine.attend(query, key, value, Attention.DEFAULT)) {
                if (!Double.isFinite(result.output().get(0, 0, 0, 0))) {
                    throw new IllegalStateException("the output is not finite");
                }
            }
        }
    }
}
