package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionGradients;
import dev.attention4j.Tensor;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GradientsCallTest {
    /** The plan of gradients need not be that of the forward pass. */
    @Test
    void namesThePlanThatComputed() {
        boolean[] released = new boolean[1];
        try (GradientsCall call = new GradientsCall(
                () -> released[0] = true,
                () -> new AttentionGradients(
                        Tensor.of(new float[] {1}, 1),
                        Tensor.of(new float[] {2}, 1),
                        Tensor.of(new float[] {3, 4}, 2),
                        null,
                        null,
                        null,
                        Map.of(),
                        "of gradients"))) {
            assertThat(call.plan()).isEmpty();
            call.run();
            assertThat(call.plan()).contains("of gradients");
            assertThat(call.output()).containsExactly(1, 2, 3, 4);
        }
        assertThat(released[0]).isTrue();
    }
}
