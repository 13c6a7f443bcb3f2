package dev.attention4j.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.ExpectedResult;
import dev.attention4j.bench.Inputs;
import dev.attention4j.bench.LayerInputs;
import dev.attention4j.bench.ProjectionInputs;
import dev.attention4j.bench.Workload;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PeersTest {
    @ParameterizedTest
    @CsvSource({
        "pytorch-2.7, 2.3.3.40.40.16",
        "pytorch-2.10, 2.3.3.40.40.16",
        "pytorch-2.7, 2.3.3.40.50.16",
        "pytorch-2.10, 2.3.3.40.50.16",
        "pytorch-2.7, 2.3.3.40.40.16:causal",
        "pytorch-2.10, 2.3.3.40.40.16:causal",
        "pytorch-2.7, 2.3.3.40.50.16:causal",
        "pytorch-2.10, 2.3.3.40.50.16:causal",
        "pytorch-2.7, 2.3.3.40.50.16:mask",
        "pytorch-2.10, 2.3.3.40.50.16:mask",
        "pytorch-2.7, 2.6.2.40.50.16",
        "pytorch-2.10, 2.6.2.40.50.16",
        "pytorch-2.7, 2.6.2.40.40.16:causal",
        "pytorch-2.10, 2.6.2.40.40.16:causal",
        "pytorch-2.7, 2.6.2.40.50.16:mask",
        "pytorch-2.10, 2.6.2.40.50.16:mask",
        "pytorch-2.7, 2.3.3.40.50.16.24",
        "pytorch-2.10, 2.3.3.40.50.16.24",
        "pytorch-2.7, 2.3.3.1.50.16",
        "pytorch-2.10, 2.3.3.1.50.16",
        "onnxruntime, 2.3.3.40.40.16",
        "onnxruntime, 2.3.3.40.50.16",
        "onnxruntime, 2.3.3.40.40.16:causal",
        "onnxruntime, 2.3.3.40.50.16:mask",
        "onnxruntime, 2.3.3.40.50.16.24",
        "onnxruntime, 2.3.3.1.50.16",
        "plain-java, 2.3.3.40.50.16",
        "plain-java, 2.3.3.40.50.16:causal",
        "plain-java, 2.3.3.40.50.16:mask",
        "plain-java, 2.6.2.40.50.16.24:causal",
        "plain-java, 2.6.2.40.50.16:mask",
        "pytorch-2.7, 2.6.2.5.50.16:cache",
        "pytorch-2.10, 2.6.2.1.50.16:cache-float16",
        "pytorch-2.10, 2.6.2.50.50.16:cache",
        "plain-java, 2.6.2.5.50.16:cache-bfloat16",
        "pytorch-2.7, 2.6.2.40.40.16:score-alibi",
        "pytorch-2.7, 2.3.3.40.50.16:mask-if-causal",
        "pytorch-2.10, 2.3.3.40.50.16:score-relative-bias",
        "pytorch-2.10, 2.6.2.40.40.16:mask-if-documents",
        "pytorch-2.10, 2.6.2.40.40.16:mask-if-prefix",
        "onnxruntime, 2.3.3.40.50.16:score-alibi",
        "onnxruntime, 2.3.3.40.50.16:mask-if-strided"
    })
    void agreesWithTheOracle(String peer, String shape) {
        Inputs inputs = Inputs.of(AttentionShape.parse(shape), DType.FLOAT32);
        ExpectedResult truth = ExpectedResult.of(inputs);
        try (Contender<Inputs> contender = Peers.openAttention(peer, 2).get(0)) {
            assertThat(contender.name()).isEqualTo(peer);
            assertThat(contender.isPeer()).isTrue();
            assertThat(contender.refusal(inputs)).isEmpty();
            try (Contender.Call call = contender.prepare(inputs)) {
                for (int n = 0; n < 3; n++) {
                    call.run();
                    assertThat(truth.check(peer, call.output())).isLessThan(2e-6);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2.3.3.40.50.16:backward",
                "2.3.3.40.50.16:training",
                "2.6.2.70.50.16.24:causal:backward",
                "2.3.3.40.50.16:mask:training"
            })
    void pyTorchsGradientsAgreeWithTheOracle(String shape) {
        Inputs inputs = Inputs.of(AttentionShape.parse(shape), DType.FLOAT32);
        ExpectedResult truth = inputs.expected();
        assertThat(truth.against()).isEqualTo("oracle");
        try (Contender<Inputs> contender = Peers.openAttention("pytorch-2.7", 2).get(0)) {
            assertThat(contender.refusal(inputs)).isEmpty();
            try (Contender.Call call = contender.prepare(inputs)) {
                for (int n = 0; n < 3; n++) {
                    call.run();
                    assertThat(truth.check(shape, call.output())).isLessThan(5e-6);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "pytorch-2.10, 2.3.3.40.40.16:backward, FLOAT32, pytorch-2.7",
        "onnxruntime, 2.3.3.40.40.16:training, FLOAT32, pytorch-2.7",
        "plain-java, 2.3.3.40.40.16:causal:backward, FLOAT32, pytorch-2.7",
        "onnxruntime, 2.6.2.40.40.16, FLOAT32, grouped heads",
        "onnxruntime, 2.3.3.40.50.16:causal, FLOAT32, top-left",
        "onnxruntime, 2.3.3.40.40.16, FLOAT16, float32",
        "pytorch-2.7, 2.3.3.40.40.16, BFLOAT16, float32",
        "pytorch-2.10, 2.3.3.40.40.16, BFLOAT16, float32",
        "plain-java, 2.3.3.40.40.16, FLOAT16, float32",
        "pytorch-2.7, 2.3.3.40.40.16:score-softcap, FLOAT32, no tensor says",
        "pytorch-2.10, 2.3.3.40.40.16:score-softcap, FLOAT32, no tensor says",
        "onnxruntime, 2.3.3.40.40.16:score-softcap, FLOAT32, no tensor says",
        "plain-java, 2.3.3.40.40.16:mask-if-causal, FLOAT32, without expressions"
    })
    void saysWhatItCannotDo(String peer, String shape, DType dtype, String why) {
        Inputs inputs = Inputs.of(AttentionShape.parse(shape), dtype);
        try (Contender<Inputs> contender = Peers.openAttention(peer, 2).get(0)) {
            assertThat(contender.refusal(inputs))
                    .hasValueSatisfying(reason -> assertThat(reason).contains(why));
        }
    }

    @ParameterizedTest
    @CsvSource({"pytorch-2.7, 2", "pytorch-2.10, 2", "onnxruntime, 1", "plain-java, 1"})
    void layersAgreeWithTheOracle(String peer, int ways) {
        LayerInputs inputs = LayerInputs.of(LayerShape.parse("layer:3.40.24.3"), DType.FLOAT32);
        ExpectedResult truth = inputs.expected();
        List<Contender<LayerInputs>> contenders = Peers.openLayer(peer, 2);
        assertThat(contenders).hasSize(ways);
        for (Contender<LayerInputs> contender : contenders) {
            assertThat(contender.name()).isEqualTo(peer);
            assertThat(contender.isPeer()).isTrue();
            assertThat(contender.refusal(inputs)).isEmpty();
            assertThat(contender.refusal(LayerInputs.of(inputs.shape(), DType.BFLOAT16)))
                    .hasValueSatisfying(reason -> assertThat(reason).contains("float32"));
            try (Contender.Call call = contender.prepare(inputs)) {
                for (int n = 0; n < 3; n++) {
                    call.run();
                    assertThat(truth.check(peer, call.output())).isLessThan(5e-6);
                }
            }
            contender.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pytorch-2.7", "pytorch-2.10"})
    void aProjectionAgreesWithTheOracle(String peer) {
        ProjectionInputs inputs = ProjectionInputs.of(ProjectionShape.parse("gemm:37.20.50"), DType.FLOAT32);
        ExpectedResult truth = inputs.expected();
        try (Contender<ProjectionInputs> contender = Peers.openGemm(peer, 2).get(0);
                Contender.Call call = contender.prepare(inputs)) {
            call.run();
            assertThat(truth.check(peer, call.output())).isLessThan(5e-6);
        }
        assertThat(Peers.openGemm("plain-java", 2)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2.3.3.40.40.16:causal",
                "2.6.2.40.40.16:causal",
                "2.6.2.1.50.16",
                "2.3.3.1.50.16",
                "2.6.2.1.50.16:cache",
                "1.6.2.7.50.16:cache",
                "2.6.2.40.40.16:cache"
            })
    void onnxRuntimesGroupedHeadsAgreeWithTheOracle(String shape) {
        Inputs inputs = Inputs.of(AttentionShape.parse(shape), DType.FLOAT32);
        float[] key = inputs.key().toFloatArray();
        try (Contender<Inputs> contender = groupQueryAttention()) {
            assertThat(contender.refusal(inputs)).isEmpty();
            try (Contender.Call call = contender.prepare(inputs)) {
                for (int n = 0; n < 3; n++) {
                    call.run();
                    assertThat(ExpectedResult.of(inputs).check(shape, call.output()))
                            .isLessThan(2e-6);
                }
            }
        }
        // A decoding step writes into its cache, which must not be the inputs that others read.
        assertThat(inputs.key().toFloatArray()).isEqualTo(key);
    }

    @ParameterizedTest
    @CsvSource({
        "2.6.2.40.40.16, always causal",
        "2.6.2.40.50.16:causal, always causal",
        "2.3.3.40.40.16:mask, mask",
        "2.3.3.40.40.16:mask-if-causal, mask",
        "2.6.2.7.50.16:cache, or one text",
        "2.3.3.1.50.16.24, one width"
    })
    void onnxRuntimesGroupedHeadsSayWhatTheyCannotDo(String shape, String why) {
        try (Contender<Inputs> contender = groupQueryAttention()) {
            assertThat(contender.refusal(Inputs.of(AttentionShape.parse(shape), DType.FLOAT32)))
                    .hasValueSatisfying(reason -> assertThat(reason).contains(why));
        }
    }

    private static Contender<Inputs> groupQueryAttention() {
        return Peers.openAttention("onnxruntime", 2).stream()
                .filter(contender -> contender.plan().equals("GroupQueryAttention"))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"pytorch-2.10, OpenBLAS kernel", "pytorch-2.7, MKL", "onnxruntime, ONNX Runtime 1."})
    void saysWhatItIsBuiltWith(String peer, String library) {
        try (Contender<Inputs> contender = Peers.openAttention(peer, 2).get(0)) {
            assertThat(contender.builtWith()).contains(library, "threads").doesNotContain("\n");
        }
    }

    @Test
    void aFailureInTheOtherJvmIsToldAndItsNextCallSucceeds() {
        try (ChildPeer<Workload> peer = new ChildPeer<>(PeerServer.Kind.ATTENTION, 0, 2)) {
            LayerInputs layer = LayerInputs.of(LayerShape.parse("layer:3.40.24.3"), DType.FLOAT32);
            assertThatThrownBy(() -> peer.prepare(layer))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("LayerInputs cannot be cast");
            Inputs inputs = Inputs.of(AttentionShape.parse("2.3.3.40.50.16"), DType.FLOAT32);
            try (Contender.Call call = peer.prepare(inputs)) {
                assertThat(call.times(1)).isNotEmpty().doesNotContain(0.0);
                assertThat(ExpectedResult.of(inputs).check("child", call.output()))
                        .isLessThan(2e-6);
            }
        }
    }

    @Test
    void anUnknownPeerIsRefusedByName() {
        assertThatThrownBy(() -> Peers.openAttention("cudnn", 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "peer: \"cudnn\", must be one of pytorch-2.10, pytorch-2.7, onnxruntime, plain-java");
    }
}
