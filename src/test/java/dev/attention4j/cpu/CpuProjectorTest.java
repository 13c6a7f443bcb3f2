package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.DType;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CpuProjectorTest {
    private final CpuProjector projector = CpuProjector.get();

    /** Sizes below, at and beyond a block of rows, a group of four, a pair of inputs and a panel of outputs. */
    @ParameterizedTest
    @CsvSource({"1,1,1,1,1", "2,3,5,2,3", "1,32,8,1,16", "3,33,17,3,5", "1,70,64,12,64", "2,4,2,1,513"})
    void splitIsTheProductOfRowsAndKernel(int batch, int length, int inputs, int heads, int width) {
        Tensor input = Tensor.random(1, batch, length, inputs);
        Tensor kernel = Tensor.random(2, inputs, heads, width);
        Tensor bias = Tensor.random(3, heads, width);
        List<Tensor> results =
                projector.toHeads(input, List.of(projector.prepare(kernel, bias), projector.prepare(kernel, null)));
        for (int b = 0; b < batch; b++) {
            for (int n = 0; n < length; n++) {
                for (int head = 0; head < heads; head++) {
                    for (int w = 0; w < width; w++) {
                        double sum = 0;
                        double size = 0;
                        for (int in = 0; in < inputs; in++) {
                            double product = input.get(b, n, in) * kernel.get(in, head, w);
                            sum += product;
                            size += Math.abs(product);
                        }
                        double allowed = 1e-6 + inputs * size * 0x1p-24;
                        double biased = sum + bias.get(head, w);
                        assertThat(results.get(0).get(b, head, n, w)).isCloseTo(biased, offset(allowed));
                        assertThat(results.get(1).get(b, head, n, w)).isCloseTo(sum, offset(allowed));
                    }
                }
            }
        }
    }

    @Test
    void mergeReadsTheHeadsOfAPositionOneAfterAnother() {
        Tensor heads = Tensor.random(1, 2, 3, 37, 5);
        Tensor gate = Tensor.random(2, 2, 3, 37, 5);
        Tensor kernel = Tensor.random(3, 15, 1, 7);
        Tensor bias = Tensor.random(4, 1, 7);
        Projection projection = projector.prepare(kernel, bias);
        Tensor plain = projector.fromHeads(heads, null, projection);
        Tensor gated = projector.fromHeads(heads, gate, projection);
        assertThat(plain.shape()).containsExactly(2, 37, 7);
        for (int b = 0; b < 2; b++) {
            for (int n = 0; n < 37; n++) {
                for (int out = 0; out < 7; out++) {
                    double sum = bias.get(0, out);
                    double gatedSum = sum;
                    for (int in = 0; in < 15; in++) {
                        double product = heads.get(b, in / 5, n, in % 5) * kernel.get(in, 0, out);
                        sum += product;
                        gatedSum += product / (1 + Math.exp(-gate.get(b, in / 5, n, in % 5)));
                    }
                    assertThat(plain.get(b, n, out)).isCloseTo(sum, offset(1e-5));
                    assertThat(gated.get(b, n, out)).isCloseTo(gatedSum, offset(1e-5));
                }
            }
        }
    }

    @Test
    void resultsAreInTheInputsType() {
        Projection projection = projector.prepare(Tensor.random(2, 4, 2, 3), null);
        Tensor half = Tensor.random(1, 1, 5, 4).to(DType.FLOAT16);
        Tensor result = projector.toHeads(half, List.of(projection)).get(0);
        assertThat(result.dtype()).isEqualTo(DType.FLOAT16);
        Tensor wide =
                projector.toHeads(half.to(DType.FLOAT32), List.of(projection)).get(0);
        assertThat(result.toFloatArray()).isEqualTo(wide.to(DType.FLOAT16).toFloatArray());
    }

    @Test
    void aRowWithNanMakesNoOtherRowNan() {
        Tensor input = Tensor.random(1, 1, 9, 3);
        input.floats().put(4 * 3 + 1, Float.NaN);
        Tensor result = projector
                .toHeads(input, List.of(projector.prepare(Tensor.random(2, 3, 1, 4), null)))
                .get(0);
        for (int n = 0; n < 9; n++) {
            assertThat(Double.isNaN(result.get(0, 0, n, 2))).as("row " + n).isEqualTo(n == 4);
        }
    }

    @Test
    void whatDoesNotFitOrIsClosedIsRefused() {
        Projection projection = projector.prepare(Tensor.random(2, 4, 2, 3), null);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> projector.toHeads(Tensor.random(1, 1, 5, 6), List.of(projection)))
                .withMessageContaining("projection: has 4 inputs, must have 6");
        projection.close();
        projection.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> projector.toHeads(Tensor.random(1, 1, 5, 4), List.of(projection)))
                .withMessage("projection: is closed, must be open");
    }

    private static org.assertj.core.data.Offset<Double> offset(double allowed) {
        return org.assertj.core.api.Assertions.within(allowed);
    }
}
