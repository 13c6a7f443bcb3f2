package dev.attention4j.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuEngine;
import dev.attention4j.cpu.CpuProjector;
import dev.attention4j.spi.HostEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A layer leaves projections to an engine that has its own, and holds what that made no longer than it must. */
class ProjectingEngineTest {
    /** Plain Java's projections, with a record of what was asked for. */
    private static class Recording extends HostEngine implements Projector {
        private final CpuEngine cpu = new CpuEngine(EngineOptions.DEFAULT);
        final List<String> calls = new ArrayList<>();
        final List<Tensor> made = new ArrayList<>();
        int open;

        Recording() {
            super(
                    new EngineInfo("recording", EngineInfo.Kind.CPU, "records", "tests", "none", Map.of()),
                    "plain",
                    EngineOptions.DEFAULT);
        }

        @Override
        protected AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
            AttentionResult result = cpu.attend(query, key, value, problem.attention());
            made.add(result.output());
            return result;
        }

        @Override
        public Projector projector() {
            return this;
        }

        @Override
        public Projection prepare(Tensor kernel, Tensor bias) {
            calls.add("prepare " + List.of(kernel.size(0), kernel.size(1), kernel.size(2)));
            open++;
            return new Held(CpuProjector.get().prepare(kernel, bias));
        }

        private final class Held implements Projection {
            private final Projection inner;

            Held(Projection inner) {
                this.inner = inner;
            }

            @Override
            public void close() {
                open--;
            }
        }

        @Override
        public List<Tensor> toHeads(Tensor input, List<Projection> projections) {
            calls.add("split into " + projections.size());
            List<Projection> inner =
                    projections.stream().map(held -> ((Held) held).inner).toList();
            List<Tensor> heads = CpuProjector.get().toHeads(input, inner);
            made.addAll(heads);
            return heads;
        }

        @Override
        public Tensor fromHeads(Tensor heads, Tensor gate, Projection projection) {
            calls.add(gate == null ? "merge" : "merge gated");
            return CpuProjector.get().fromHeads(heads, gate, ((Held) projection).inner);
        }

        @Override
        public List<Tensor> weightGradients(Tensor input, Tensor gate, List<Tensor> resultGradients) {
            return CpuProjector.get().weightGradients(input, gate, resultGradients);
        }
    }

    @Test
    void weightsAreBroughtOnceAndAnInputIsReadOnce() {
        Tensor input = Tensor.random(1, 2, 5, 6);
        Tensor other = Tensor.random(2, 2, 7, 6);
        try (Recording engine = new Recording()) {
            MultiHeadAttention layer =
                    MultiHeadAttention.builder().heads(2).keyDim(3).gate(true).build(engine);
            Tensor self = layer.call(input, input, input);
            assertThat(engine.calls)
                    .hasSize(7)
                    .containsOnlyOnce("prepare [6, 1, 6]")
                    .endsWith("split into 4", "merge gated");
            engine.calls.clear();
            Tensor cross = layer.call(input, other);
            assertThat(engine.calls).containsExactly("split into 2", "split into 2", "merge gated");
            assertThat(engine.made).hasSize(10).allMatch(Tensor::isClosed);
            assertThat(self.isClosed() || cross.isClosed()).as("the caller's").isFalse();
            assertThat(input.isClosed() || other.isClosed()).as("the caller's").isFalse();
            assertThat(engine.open).isEqualTo(5);
            layer.load(layer.weights());
            assertThat(engine.open).as("the first ones are given back").isEqualTo(5);
            layer.close();
            layer.close();
            assertThat(engine.open).isZero();
        }
    }

    @Test
    void aFailureLeavesNothingBehind() {
        Tensor input = Tensor.random(1, 2, 5, 6);
        List<Tensor> made = new ArrayList<>();
        try (Recording engine = new Recording() {
                    @Override
                    public Tensor fromHeads(Tensor heads, Tensor gate, Projection projection) {
                        throw new IllegalStateException("the device is gone");
                    }
                };
                AttentionLayer layer =
                        MultiHeadAttention.builder().heads(2).keyDim(3).build(engine)) {
            AttentionInputs inputs = AttentionInputs.builder()
                    .query(input)
                    .value(input)
                    .scores(true)
                    .build();
            assertThatIllegalStateException()
                    .isThrownBy(() -> layer.call(inputs))
                    .withMessage("the device is gone");
            made.addAll(engine.made);
        }
        assertThat(made).hasSize(4).allMatch(Tensor::isClosed);
    }

    @Test
    void anEngineWithoutItsOwnIsProjectedInPlainJava() {
        try (AttentionEngine oracle = AttentionEngine.open("oracle")) {
            assertThat(oracle.projector()).isSameAs(CpuProjector.get());
        }
    }
}
