package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Inputs;
import dev.attention4j.bench.LayerInputs;
import dev.attention4j.bench.ProjectionInputs;
import dev.attention4j.bench.Workload;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** The peers by name. Their libraries may be missing: then only the peer concerned cannot be opened. */
public final class Peers {
    static final String PYTORCH_2_10 = "pytorch-2.10";
    static final String PYTORCH_2_7 = "pytorch-2.7";
    static final String ONNX_RUNTIME = "onnxruntime";
    private static final String PLAIN_JAVA = "plain-java";

    private Peers() {}

    /** The names of all peers; in the order of the tables. */
    public static List<String> names() {
        return List.of(PYTORCH_2_10, PYTORCH_2_7, ONNX_RUNTIME, PLAIN_JAVA);
    }

    /** Opens a peer for attention, with each of its operations. */
    public static List<Contender<Inputs>> openAttention(String name, int threads) {
        // Constructors in lambdas: a peer's class, and so its library, is touched when it is opened.
        return open(
                name,
                Map.of(
                        PYTORCH_2_10, () -> List.of(new ChildPeer<>(PeerServer.Kind.ATTENTION, 0, threads)),
                        PYTORCH_2_7, () -> List.of(new PyTorchPeer(new DjlTorch(threads))),
                        ONNX_RUNTIME, () -> List.of(new OnnxRuntimePeer(threads), new OnnxRuntimeGroupQuery(threads)),
                        PLAIN_JAVA, () -> List.of(new PlainJavaPeer(threads))));
    }

    /** Opens a peer for layers, in each way in which it can compute one; otherwise as {@link #openAttention}. */
    public static List<Contender<LayerInputs>> openLayer(String name, int threads) {
        return open(
                name,
                Map.of(
                        PYTORCH_2_10, () -> ways(way -> new ChildPeer<>(PeerServer.Kind.LAYER, way, threads)),
                        PYTORCH_2_7, () -> ways(way -> PyTorchLayer.of(way, new DjlTorch(threads))),
                        ONNX_RUNTIME, () -> List.of(new OnnxRuntimeLayer(threads)),
                        PLAIN_JAVA, () -> List.of(new PlainJavaLayer(threads))));
    }

    /**
     * Opens a peer for projections; otherwise as {@link #openAttention}; to be closed by the caller; empty for those
     * that are compared by whole layers only.
     */
    public static List<Contender<ProjectionInputs>> openGemm(String name, int threads) {
        return open(
                name,
                Map.of(
                        PYTORCH_2_10,
                        () -> List.of(new ChildPeer<>(PeerServer.Kind.GEMM, 0, threads)),
                        PYTORCH_2_7,
                        () -> List.of(new PyTorchGemm(new DjlTorch(threads))),
                        ONNX_RUNTIME,
                        List::of,
                        PLAIN_JAVA,
                        List::of));
    }

    private static List<Contender<LayerInputs>> ways(IntFunction<Contender<LayerInputs>> open) {
        return IntStream.range(0, PyTorchLayer.WAYS).mapToObj(open).toList();
    }

    /** Why a peer, whose tensors are float32 alone and which has no expressions, cannot compute a workload. */
    static Optional<String> refusal(String name, Workload inputs) {
        Optional<String> gradients = gradientsRefusal(name, inputs);
        if (gradients.isPresent()) {
            return gradients;
        }
        if (inputs.dtype() != DType.FLOAT32) {
            return Optional.of("compared in float32 only, not in " + inputs.dtype());
        }
        return inputs instanceof Inputs attention
                        && attention.shape().option().isExpression()
                        && !attention.shape().option().isTensor()
                ? Optional.of("it has no expressions, and no tensor says what this one computes")
                : Optional.empty();
    }

    /** Why a peer cannot compute gradients, where a workload wants them. */
    static Optional<String> gradientsRefusal(String name, Workload inputs) {
        return inputs instanceof Inputs attention && attention.shape().hasGradients() && !name.equals(PYTORCH_2_7)
                ? Optional.of("gradients are compared with " + PYTORCH_2_7)
                : Optional.empty();
    }

    private static <W extends Workload> List<Contender<W>> open(
            String name, Map<String, Supplier<List<Contender<W>>>> openers) {
        Supplier<List<Contender<W>>> opener = openers.get(name);
        if (opener == null) {
            throw new IllegalArgumentException("peer: \"" + name + "\", must be one of " + String.join(", ", names()));
        }
        try {
            return opener.get();
        } catch (RuntimeException | LinkageError e) {
            throw new IllegalStateException("peer " + name + " cannot load: " + cause(e), e);
        }
    }

    /** The reason behind a failure, in one line. */
    static String cause(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String text = root instanceof NoClassDefFoundError || root instanceof ClassNotFoundException
                ? "its library is not on the class path (" + root.getMessage() + ")"
                : root.getMessage() == null ? root.toString() : root.getMessage();
        return text.lines().findFirst().orElse(root.toString());
    }
}
