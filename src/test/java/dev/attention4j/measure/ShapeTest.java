package dev.attention4j.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.tuner.Tuner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShapeTest {
    @Test
    void shapesAreReadAsTheyAreWritten() {
        assertThat(AttentionShape.parse("1.8.2.3.4.5").problem(DType.FLOAT16, Attention.DEFAULT))
                .isEqualTo(new AttentionProblem(1, 8, 2, 3, 4, 5, 5, DType.FLOAT16, Attention.DEFAULT));
        AttentionShape shape = AttentionShape.parse("1.8.2.3.4.5.6:causal");
        assertThat(shape.problem(DType.FLOAT32).valueDim()).isEqualTo(6);
        assertThat(shape.problem(DType.FLOAT32).attention().isCausal()).isTrue();
        assertThat(shape.problem(DType.FLOAT32).attention().toString()).contains("TOP_LEFT");
        assertThat(shape).hasToString("1.8.2.3.4.5.6:causal");
        assertThat(Tuner.shapes("1.1.1.1.1.1, 2.1.1.1.1.1,1.1.1.1.1.1, gemm:4.5.6"))
                .hasSize(3)
                .last()
                .isEqualTo(new ProjectionShape(4, 5, 6))
                .hasToString("gemm:4.5.6");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "1.8.8.4.4",
                "1.8.8.4.4.8.8.8",
                "1.8.8.4.4.0",
                "1.8.3.4.4.8",
                "1.8.8.4.4.8:mask",
                "1.8.8.4.4.8,",
                "9999.99.99.9999.9999.999",
                "a.8.8.4.4.8",
                "1.1.1.600000000.1.1",
                "gemm:1.2",
                "gemm:1.2.0",
                "gemm:1.2.3:causal",
                "gemm:99999.1.99999"
            })
    void othersAreRefusedByName(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tuner.shapes(text))
                .withMessageStartingWith("shape: ");
    }

    /** Two of one class would undo each other's entry. */
    @Test
    void theUsualShapesAreOfDifferentClasses() {
        assertThat(Tuner.shapes(Tuner.USUAL))
                .extracting(shape -> Tuner.problems(shape, DType.FLOAT32))
                .doesNotHaveDuplicates()
                .hasSizeGreaterThanOrEqualTo(10)
                .contains(ProblemClass.PROJECTIONS);
    }
}
