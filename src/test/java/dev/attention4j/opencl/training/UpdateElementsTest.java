package dev.attention4j.opencl.training;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.TensorUpdates.Update;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.UpdateCheck;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Updates of tensors on every engine, against the same formulas in double. */
class UpdateElementsTest {
    static List<EngineInfo> engines() {
        TestEngines.openCl();
        return Engines.list();
    }

    /** With a last work-item of few elements, with one work-item, with none; tensors of device and host, and views. */
    @ParameterizedTest
    @MethodSource("engines")
    void everyOperation(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int count : new int[] {2500, 37, 0}) {
                new UpdateCheck(engine, count).everything();
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefusedByName() {
        Tensor target = Tensor.random(1, 2, 3);
        Tensor other = Tensor.random(1, 3, 2);
        for (String name : new String[] {"cpu", "opencl:0"}) {
            AttentionEngine engine = AttentionEngine.open(name);
            TensorUpdates updates = engine.updates();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> updates.update(Update.ADD, target, other, null, null))
                    .withMessageContaining("source: shape [3, 2], must be [2, 3]: axis 0 is 3, must be 2");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> updates.update(Update.ADD, target, null, null, null))
                    .withMessageContaining("source: null, must be a tensor");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> updates.update(Update.scale(2), target, target, null, null))
                    .withMessageContaining("must be null for this operation");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> updates.update(Update.scale(2), target.permute(1, 0), null, null, null))
                    .withMessageContaining("target: a view with gaps, must be row-major");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> updates.sumOfSquares(target.to(DType.FLOAT16)))
                    .withMessageContaining("tensor: type FLOAT16, must be FLOAT32");
            engine.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> updates.update(Update.scale(2), target, null, null, null))
                    .withMessageContaining("closed");
        }
    }

    @Test
    void momentsAreWhereTheWeightIs() {
        Tensor host = Tensor.random(1, 2, 3);
        try (AttentionEngine engine = AttentionEngine.open("opencl:0");
                AttentionEngine another = AttentionEngine.open("opencl:0");
                Tensor there = engine.upload(host)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.updates().update(Update.sgd(1, 0, 0.5, false), there, host, host, null))
                    .withMessageContaining("first: Tensor[2, 3]")
                    .withMessageContaining("must be where the target is");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> another.updates().update(Update.ADD, there, host, null, null))
                    .withMessageContaining("target: Tensor[2, 3] on ");
        }
    }
}
