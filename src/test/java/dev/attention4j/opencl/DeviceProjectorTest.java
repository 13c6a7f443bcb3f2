package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.opencl.runtime.ClQueue;
import dev.attention4j.testing.PlainProjection;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Projections on the engine's device: what is copied, what is held, threads and bad input. */
class DeviceProjectorTest {
    private static final int THREADS = 4;

    private final Tensor input = Tensor.random(1, 2, 9, 12);

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static OpenClEngine open(EngineInfo info) {
        return (OpenClEngine) TestEngines.open(info);
    }

    private static MultiHeadAttention layer(AttentionEngine engine) {
        return MultiHeadAttention.builder()
                .heads(3)
                .keyDim(4)
                .gate(true)
                .seed(1)
                .build(engine);
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aLayerCallCopiesItsInputInAndItsOutputOut(EngineInfo info) {
        try (OpenClEngine engine = open(info);
                MultiHeadAttention layer = layer(engine)) {
            layer.initialize(12, 12, 12);
            ClQueue queue = engine.context().queue();
            float[] expected = layer.call(input, input).toFloatArray();
            long writes = queue.writes();
            long reads = queue.reads();
            assertThat(layer.call(input, input).toFloatArray()).isEqualTo(expected);
            // Where device and host share their memory, the input is used as it lies.
            assertThat(queue.writes() - writes).isEqualTo(engine.context().sharesHostMemory() ? 0 : 1);
            assertThat(queue.reads() - reads).isEqualTo(1);

            try (Tensor there = engine.upload(input)) {
                writes = queue.writes();
                reads = queue.reads();
                Tensor output = layer.call(there, there);
                assertThat(queue.writes() - writes).isZero();
                assertThat(queue.reads() - reads).isZero();
                assertThat(output.isOnHost()).isFalse();
                assertThat(output.toFloatArray()).isEqualTo(expected);
                output.close();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void theDeviceHoldsTheWeightsAndNothingElseBetweenCalls(EngineInfo info) {
        try (OpenClEngine engine = open(info)) {
            int before = engine.tensors().count();
            MultiHeadAttention layer = layer(engine);
            layer.initialize(12, 12, 12);
            assertThat(engine.tensors().count() - before)
                    .as("query, key, value, gate, output")
                    .isEqualTo(5);
            for (int n = 0; n < 3; n++) {
                layer.call(input, input).close();
            }
            assertThat(engine.tensors().count() - before).isEqualTo(5);
            layer.close();
            assertThat(engine.tensors().count()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void manyThreadsGetTheirOwnResults(EngineInfo info) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try (OpenClEngine engine = open(info);
                MultiHeadAttention layer = layer(engine)) {
            List<Tensor> inputs = new ArrayList<>();
            List<float[]> expected = new ArrayList<>();
            for (int n = 0; n < THREADS; n++) {
                Tensor own = Tensor.random(10 + n, 1, 5 + n, 12);
                inputs.add(own);
                expected.add(layer.call(own, own).toFloatArray());
            }
            List<Callable<float[]>> calls = new ArrayList<>();
            for (int n = 0; n < 5 * THREADS; n++) {
                Tensor own = inputs.get(n % THREADS);
                calls.add(() -> layer.call(own, own).toFloatArray());
            }
            List<Future<float[]>> results = threads.invokeAll(calls);
            for (int n = 0; n < results.size(); n++) {
                assertThat(results.get(n).get()).isEqualTo(expected.get(n % THREADS));
            }
        } finally {
            threads.shutdown();
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void inputsOnHostAndDeviceOfAnyStridesGiveTheSame(EngineInfo info) {
        Tensor kernel = Tensor.random(2, 12, 3, 5);
        Tensor bias = Tensor.random(3, 3, 5);
        Tensor turned = Tensor.random(4, 9, 2, 12).permute(1, 0, 2);
        PlainProjection plain = new PlainProjection(turned.contiguous().reshape(2, 1, 9, 12), null, kernel, bias);
        try (OpenClEngine engine = open(info);
                Projection projection = engine.projector().prepare(kernel, bias)) {
            Projector projector = engine.projector();
            plain.check("host", projector.toHeads(turned, List.of(projection)).get(0));
            plain.check(
                    "device",
                    projector
                            .toHeads(engine.upload(turned), List.of(projection))
                            .get(0));
            Tensor there = engine.upload(turned.permute(1, 0, 2)).permute(1, 0, 2);
            plain.check(
                    "a view on the device",
                    projector.toHeads(there, List.of(projection)).get(0));
            List<Tensor> twice = projector.toHeads(turned, Collections.nCopies(6, projection));
            assertThat(twice).hasSize(6).allSatisfy(one -> plain.check("more than one launch", one));
            Tensor none = projector
                    .toHeads(Tensor.zeros(DType.FLOAT32, 0, 9, 12), List.of(projection))
                    .get(0);
            assertThat(none.shape()).containsExactly(0, 3, 9, 5);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void badInputIsRefused(EngineInfo info) {
        OpenClEngine engine = open(info);
        Projector projector = engine.projector();
        Projection projection = projector.prepare(Tensor.random(2, 12, 3, 5), null);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> projector.toHeads(Tensor.random(1, 2, 9, 11), List.of(projection)))
                .withMessageContaining("projection: has 12 inputs, must have 11");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> projector.toHeads(Tensor.zeros(DType.INT32, 2, 9, 12), List.of(projection)))
                .withMessageContaining("must be FLOAT32, FLOAT16 or BFLOAT16");
        Tensor heads = Tensor.random(1, 2, 3, 9, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> projector.fromHeads(heads, Tensor.random(1, 2, 3, 9, 5), projection))
                .withMessageContaining("gate: ");
        try (OpenClEngine other = open(info);
                Tensor foreign = other.upload(input)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> projector.toHeads(foreign, List.of(projection)))
                    .withMessageContaining("input: on ");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> other.projector().toHeads(input, List.of(projection)))
                    .withMessageContaining("projection: on ");
        }
        projection.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> projector.toHeads(input, List.of(projection)))
                .withMessageContaining("projection: is closed");
        Projection open = projector.prepare(Tensor.random(2, 12, 3, 5), null);
        engine.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> projector.toHeads(input, List.of(open)))
                .withMessageStartingWith("the engine " + info.id())
                .withMessageEndingWith("is closed");
        assertThatIllegalStateException()
                .isThrownBy(() -> projector.prepare(Tensor.random(2, 12, 3, 5), null))
                .withMessageContaining("is closed");
    }

    @ParameterizedTest
    @MethodSource("devices")
    void ofNoInputsIsTheBias(EngineInfo info) {
        try (OpenClEngine engine = open(info)) {
            Tensor bias = Tensor.random(3, 1, 8);
            Projector projector = engine.projector();
            try (Projection projection = projector.prepare(Tensor.zeros(DType.FLOAT32, 0, 1, 8), bias)) {
                Tensor result = projector
                        .toHeads(Tensor.zeros(DType.FLOAT32, 1, 2, 0), List.of(projection))
                        .get(0);
                float[] once = bias.toFloatArray();
                assertThat(result.slice(2, 0, 1).toFloatArray()).containsExactly(once);
                assertThat(result.slice(2, 1, 2).toFloatArray()).containsExactly(once);
            }
        }
    }
}
