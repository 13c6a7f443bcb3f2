package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The shapes of layers and of their projections: how they are written, what they count, what is right. */
class LayerShapeTest {
    @Test
    void aListMixesKindsOfShapes() {
        List<Shape> shapes =
                Grid.parseList("layer:8.512.256.4, gemm:4096.512.1024,1.2.2.3.3.5:causal,layer:8.512.256.4");
        assertThat(shapes)
                .containsExactly(
                        new LayerShape(8, 512, 256, 4),
                        new ProjectionShape(4096, 512, 1024),
                        AttentionShape.parse("1.2.2.3.3.5:causal"));
        assertThat(shapes).extracting(Shape::toString).startsWith("layer:8.512.256.4", "gemm:4096.512.1024");
    }

    @Test
    void operationsAreThoseOnPaper() {
        // Four projections of 2·B·T·width², and 4·B·heads·T²·headDim.
        assertThat(LayerShape.parse("layer:2.10.6.3").flops())
                .isEqualTo(4 * (2.0 * 2 * 10 * 6 * 6) + 4.0 * 2 * 3 * 10 * 10 * 2);
        assertThat(ProjectionShape.parse("gemm:5.6.7").flops()).isEqualTo(2.0 * 5 * 6 * 7);
        assertThat(ProjectionShape.parse("gemm:5.6.7").bytes(DType.FLOAT16)).isEqualTo(2.0 * 5 * (6 + 7) + 4.0 * 6 * 7);
    }

    /** The samples' oracle has code of its own: it agrees with the library's, and finds one wrong number. */
    @Test
    void theTruthOfALayerIsThatOfTheOracle() {
        LayerInputs inputs = LayerInputs.of(LayerShape.parse("layer:2.12.8.2"), DType.FLOAT32);
        try (AttentionEngine oracle = AttentionEngine.open("oracle");
                MultiHeadAttention layer =
                        MultiHeadAttention.builder().heads(2).keyDim(4).build(oracle)) {
            layer.load(inputs.layerWeights());
            Tensor input = inputs.input();
            float[] output = layer.call(input, input).toFloatArray();
            ExpectedResult truth = inputs.expected();
            assertThat(truth.check("oracle", output)).isLessThan(2e-6);
            assertThat(truth.against()).isEqualTo("oracle");
            output[17] += 0.01f;
            assertThatThrownBy(() -> truth.check("oracle", output)).hasMessageStartingWith("wrong result: ");
        }
    }

    @Test
    void largeLayersAreSampled() {
        LayerInputs inputs = LayerInputs.of(LayerShape.parse("layer:4.100.8.2"), DType.FLOAT32);
        assertThat(inputs.expected().against()).startsWith("oracle on ").contains("% of the rows");
    }
}
