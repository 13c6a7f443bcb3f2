package dev.attention4j.opencl.projection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.testing.PlainProjection;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.WeightGradientCheck;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights that are packed on the device, as they lie or transposed, and gradients of weights. */
class PackWeightsTest {
    static List<EngineInfo> engines() {
        TestEngines.openCl();
        return Engines.list();
    }

    static List<EngineInfo> quickDevices() {
        return TestEngines.quickOpenCl();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void weightsOnTheDeviceProjectAsThoseOfTheHost(EngineInfo info) {
        Tensor input = Tensor.random(1, 2, 3, 21);
        Tensor kernel = Tensor.random(2, 21, 3, 19);
        Tensor bias = Tensor.random(3, 3, 19);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor kernelThere = engine.upload(kernel);
                Tensor biasThere = engine.upload(bias);
                Projection projection = engine.projector().prepare(kernelThere, biasThere);
                Tensor result =
                        engine.projector().toHeads(input, List.of(projection)).get(0)) {
            new PlainProjection(input.reshape(2, 1, 3, 21), null, kernel, bias).check(info.id(), result);
        }
    }

    /** A view is another order of the same weights. */
    @ParameterizedTest
    @MethodSource("engines")
    void transposedWeights(EngineInfo info) {
        Tensor input = Tensor.random(1, 2, 3, 37);
        Tensor stored = Tensor.random(2, 3, 19, 37);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor there = engine.upload(stored);
                Projection projection = engine.projector().prepare(there.permute(2, 0, 1), null);
                Tensor result =
                        engine.projector().toHeads(input, List.of(projection)).get(0)) {
            new PlainProjection(input.reshape(2, 1, 3, 37), null, stored.permute(2, 0, 1), null)
                    .check(info.id(), result);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void gradientsOfWeights(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            new WeightGradientCheck(engine).everything();
        }
    }

    /** So many positions that they are summed in parts, of which the last is a short one; sums do not drift. */
    @ParameterizedTest
    @MethodSource("quickDevices")
    void gradientsOfManyPositions(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            WeightGradientCheck check = new WeightGradientCheck(engine);
            check.check(Tensor.random(1, 2, 1, 4100, 5), null, Tensor.random(2, 2, 2, 4100, 3));
            check.check(
                    Tensor.random(1, 1, 2, 4099, 3), Tensor.random(3, 1, 2, 4099, 3), Tensor.random(2, 1, 1, 4099, 4));
            check.drift(300_001);
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatDoesNotFitIsRefused(EngineInfo info) {
        Tensor input = Tensor.random(1, 1, 2, 3, 4);
        try (AttentionEngine engine = TestEngines.open(info)) {
            Projector projector = engine.projector();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> projector.weightGradients(input, null, List.of(Tensor.random(1, 1, 2, 4, 4))))
                    .withMessageContaining(
                            "resultGradients: shape [1, 2, 4, 4], must be [batch, heads, length, width]");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> projector.weightGradients(input, input.slice(3, 0, 3), List.of(input)))
                    .withMessageContaining("gate: shape [1, 2, 3, 3], must be [1, 2, 3, 4]");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> projector.weightGradients(input.to(DType.BFLOAT16), null, List.of(input)))
                    .withMessageContaining("input: type BFLOAT16, must be FLOAT32");
            assertThat(projector.weightGradients(input, null, List.of())).isEmpty();
        }
    }
}
