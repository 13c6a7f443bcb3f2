import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.layers.MultiHeadAttention;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * One engine and one layer for a Spring application. Spring closes beans that can be closed, those that need others first:
 * the layer, then its engine.
 */
@Configuration
public class AttentionConfiguration {
    @Bean
    public AttentionEngine attentionEngine() {
        AttentionEngine engine = AttentionEngine.open();
        // The shape of a usual request: its kernels are built before the application is ready.
        engine.warmUp(new AttentionProblem(1, 4, 4, 32, 32, 16, 16, DType.FLOAT32, Attention.DEFAULT));
        return engine;
    }

    @Bean
    public MultiHeadAttention attentionLayer(AttentionEngine attentionEngine) {
        return MultiHeadAttention.builder().heads(4).keyDim(16).seed(1).build(attentionEngine);
    }
}
