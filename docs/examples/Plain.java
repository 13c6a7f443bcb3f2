import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;

/** Causal attention of random numbers on the best device of this machine; an argument names another, such as gpu. */
public final class Plain {
    private Plain() {}

    public static void main(String[] arguments) {
        Tensor query = Tensor.random(1, 1, 8, 128, 64); // [batch, heads, length, headDim]
        Tensor key = Tensor.random(2, 1, 8, 128, 64);
        Tensor value = Tensor.random(3, 1, 8, 128, 64);
        Attention causal = Attention.causal(Alignment.TOP_LEFT);
        try (AttentionEngine engine = AttentionEngine.open(arguments.length > 0 ? arguments[0] : "best");
                AttentionResult result = engine.attend(query, key, value, causal)) {
            System.out.println(engine + ": " + engine.explain(query, key, value, causal));
            System.out.println(result.output());
        }
    }
}
