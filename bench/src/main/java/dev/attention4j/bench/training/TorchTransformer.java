package dev.attention4j.bench.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import dev.attention4j.Tensor;
import dev.attention4j.bench.peer.DjlTorch;
import dev.attention4j.bench.peer.TorchModule;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The same transformer in PyTorch 2.7, trained by its autograd and the steps of {@code torch.optim.AdamW} with the defaults of its
 * betas and epsilon, in TorchScript.
 */
public final class TorchTransformer implements AutoCloseable {
    private static final String LAYER_NORM =
            "torch.layer_norm(%s, [%d], torch.select(%s, 0, 0), torch.select(%3$s, 0, 1), 1e-05)";

    private static final double BETA_1 = 0.9;
    private static final double BETA_2 = 0.999;
    private static final double EPSILON = 1e-8;

    private final TransformerShape shape;
    private final List<String> names;
    private final DjlTorch torch;
    private final NDManager manager;
    private final Block forward;
    private final Block backward;
    private final ParameterStore parameters;
    /** Then AdamW's running means, in the same order. */
    private final NDList weights = new NDList();

    private final NDList means = new NDList();
    private final NDList squares = new NDList();
    private int steps;

    private TorchTransformer(TransformerShape shape, double weightDecay, double mostNorm, int threads) {
        this.shape = shape;
        names = List.copyOf(shape.weights().keySet());
        torch = new DjlTorch(threads);
        manager = torch.newManager();
        parameters = new ParameterStore(manager, false);
        // Else each new shape of a batch is compiled anew, which takes seconds.
        JniUtils.setGraphExecutorOptimize(false);
        forward = torch.block("transformer", () -> TorchModule.module(forwardInputs(), forwardCode()));
        backward = torch.block("step", () -> TorchModule.module(stepInputs(), stepCode(weightDecay, mostNorm)));
    }

    /**
     * Loads PyTorch and copies weights to it.
     *
     * @param first as {@link TransformerShape#weights} lists them
     * @param weightDecay of AdamW, whose other options are its defaults
     * @param mostNorm that gradients are clipped to
     * @param threads how many a call may use; once per JVM
     */
    public static TorchTransformer open(
            TransformerShape shape, Map<String, Tensor> first, double weightDecay, double mostNorm, int threads) {
        TorchTransformer model = new TorchTransformer(shape, weightDecay, mostNorm, threads);
        for (String name : model.names) {
            NDArray weight = model.manager.create(
                    first.get(name).bytes(), new Shape(first.get(name).shape()), DataType.FLOAT32);
            // A copy: PyTorch would step the memory that was given.
            NDArray own = weight.duplicate();
            own.setRequiresGradient(true);
            model.weights.add(own);
            model.means.add(model.manager.zeros(own.getShape()));
            model.squares.add(model.manager.zeros(own.getShape()));
        }
        return model;
    }

    /** The version, and the libraries it was built with; one line. */
    public String builtWith() {
        return torch.builtWith();
    }

    /** Learns from a batch, and returns its loss before. */
    public double step(Batch batch, double learningRate) {
        try (NDManager ofStep = manager.newSubManager()) {
            NDList arguments = new NDList();
            arguments.add(loss(ofStep, batch));
            steps++;
            arguments.add(ofStep.create((float) learningRate));
            arguments.add(ofStep.create((float) (learningRate / (1 - Math.pow(BETA_1, steps)))));
            arguments.add(ofStep.create((float) Math.sqrt(1 - Math.pow(BETA_2, steps))));
            arguments.addAll(weights);
            arguments.addAll(means);
            arguments.addAll(squares);
            NDArray loss = backward.forward(parameters, arguments, true).singletonOrThrow();
            loss.attach(ofStep);
            return loss.toFloatArray()[0];
        }
    }

    private NDArray loss(NDManager ofStep, Batch batch) {
        NDList inputs = new NDList();
        inputs.add(longs(ofStep, batch.tokens(), batch.texts(), batch.length()));
        inputs.add(longs(ofStep, batch.targets(), batch.targets().length));
        inputs.add(longs(ofStep, batch.lengths(), batch.texts(), 1));
        inputs.addAll(weights);
        boolean before = JniUtils.isGradMode();
        JniUtils.setGradMode(true);
        try {
            NDArray loss = forward.forward(parameters, inputs, true).singletonOrThrow();
            loss.attach(ofStep);
            return loss;
        } finally {
            JniUtils.setGradMode(before);
        }
    }

    private static NDArray longs(NDManager manager, int[] numbers, long... sizes) {
        ByteBuffer bytes =
                ByteBuffer.allocateDirect(Long.BYTES * numbers.length).order(ByteOrder.nativeOrder());
        for (int number : numbers) {
            bytes.putLong(number);
        }
        return manager.create(bytes.flip(), new Shape(sizes), DataType.INT64);
    }

    // ---- code

    private String forwardInputs() {
        return "t: Tensor, a: Tensor, l: Tensor, " + tensors("w");
    }

    private String tensors(String letter) {
        return IntStream.range(0, names.size())
                .mapToObj(n -> letter + n + ": Tensor")
                .collect(Collectors.joining(", "));
    }

    private String weight(String name) {
        return "w" + names.indexOf(name);
    }

    private String forwardCode() {
        int width = shape.width();
        List<String> lines = new ArrayList<>();
        lines.add("b = torch.size(t, 0)");
        lines.add("n = torch.size(t, 1)");
        lines.add("x = torch.add(torch.embedding(%s, t), torch.slice(%s, 0, 0, n, 1))"
                .formatted(weight("tokens"), weight("positions")));
        if (!shape.causal()) {
            lines.add("m = torch.lt(torch.unsqueeze(torch.arange(n, dtype=4), 0), l)");
            lines.add("k = torch.view(m, [b, 1, 1, n])");
        }
        for (int layer = 0; layer < shape.layers(); layer++) {
            lines.add("h = " + LAYER_NORM.formatted("x", width, block(layer, "attention_norm")));
            for (String role : List.of("query", "key", "value")) {
                String prefix = "attention." + role;
                lines.add(role
                        + " = torch.add(torch.matmul(h, torch.reshape(%s, [%d, %d])), torch.reshape(%s, [%d]))"
                                .formatted(
                                        block(layer, prefix + ".kernel"),
                                        width,
                                        width,
                                        block(layer, prefix + ".bias"),
                                        width));
                lines.add(role + " = torch.permute(torch.view(" + role
                        + ", [b, n, %d, %d]), [0, 2, 1, 3])".formatted(shape.heads(), width / shape.heads()));
            }
            lines.add("o = torch.scaled_dot_product_attention(query, key, value, "
                    + (shape.causal() ? "None, 0., True)" : "k, 0., False)"));
            lines.add("o = torch.reshape(torch.permute(o, [0, 2, 1, 3]), [b, n, %d])".formatted(width));
            lines.add("o = torch.add(torch.matmul(o, torch.reshape(%s, [%d, %d])), %s)"
                    .formatted(
                            block(layer, "attention.attention_output.kernel"),
                            width,
                            width,
                            block(layer, "attention.attention_output.bias")));
            lines.add("x = torch.add(x, o)");
            lines.add("h = " + LAYER_NORM.formatted("x", width, block(layer, "feed_forward_norm")));
            lines.add("h = torch.gelu(" + dense("h", block(layer, "up")) + ", approximate=\"tanh\")");
            lines.add("x = torch.add(x, " + dense("h", block(layer, "down")) + ")");
        }
        lines.add("x = " + LAYER_NORM.formatted("x", width, weight("norm")));
        if (!shape.causal()) {
            lines.add("x = torch.mul(x, torch.unsqueeze(m, -1))");
            lines.add("x = torch.div(torch.sum(x, [1]), l)");
        }
        lines.add("s = torch.reshape(%s, [-1, %d])".formatted(dense("x", weight("output")), shape.outputs()));
        lines.add("return torch.cross_entropy_loss(s, a, None, 1, -1, 0.)");
        return code(lines);
    }

    private String block(int layer, String name) {
        return weight(TransformerShape.block(layer, name));
    }

    /** The weights have their bias on top. */
    private static String dense(String input, String weight) {
        return "torch.add(torch.matmul(%s, torch.slice(%s, 0, 1, 9223372036854775807, 1)), torch.select(%2$s, 0, 0))"
                .formatted(input, weight);
    }

    private String stepInputs() {
        return "o: Tensor, r: Tensor, a: Tensor, z: Tensor, " + tensors("w") + ", " + tensors("m") + ", "
                + tensors("v");
    }

    private String stepCode(double weightDecay, double mostNorm) {
        List<String> lines = new ArrayList<>();
        lines.add("d = torch.grad([o], [" + list("w%d")
                + "], annotate(List[Optional[Tensor]], [torch.ones_like(o)]), False, False, False)");
        for (int n = 0; n < names.size(); n++) {
            lines.add("g%d = unchecked_cast(Tensor, d[%1$d])".formatted(n));
            String squares = "torch.sum(torch.mul(g%d, g%1$d))".formatted(n);
            lines.add("q = " + (n == 0 ? squares : "torch.add(q, " + squares + ")"));
        }
        // As torch.nn.utils.clip_grad_norm_.
        lines.add("c = torch.clamp(torch.mul(torch.reciprocal(torch.add(torch.sqrt(q), 1e-06)), %s), None, 1.)"
                .formatted(mostNorm));
        // As torch.optim.AdamW steps one tensor.
        lines.add("k = torch.add(torch.mul(r, %s), 1)".formatted(-weightDecay));
        for (int n = 0; n < names.size(); n++) {
            lines.add("g%d = torch.mul(g%1$d, c)".formatted(n));
            lines.add("w = torch.mul_(w%d, k)".formatted(n));
            lines.add("m = torch.lerp_(m%d, g%1$d, %s)".formatted(n, 1 - BETA_1));
            lines.add(
                    "v = torch.addcmul_(torch.mul_(v%d, %s), g%1$d, g%1$d, value=%s)".formatted(n, BETA_2, 1 - BETA_2));
            lines.add("h = torch.add(torch.div(torch.sqrt(v), z), %s)".formatted(EPSILON));
            lines.add("w = torch.sub_(w, torch.mul(torch.div(m, h), a))");
        }
        lines.add("return o");
        return code(lines);
    }

    private String list(String each) {
        return IntStream.range(0, names.size()).mapToObj(each::formatted).collect(Collectors.joining(", "));
    }

    private static String code(List<String> lines) {
        return lines.stream().map(line -> "    " + line + "\n").collect(Collectors.joining());
    }

    @Override
    public void close() {
        JniUtils.setGraphExecutorOptimize(true);
        manager.close();
        torch.close();
    }
}
