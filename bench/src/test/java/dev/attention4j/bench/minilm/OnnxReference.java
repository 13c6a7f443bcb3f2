package dev.attention4j.bench.minilm;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.attention4j.cli.minilm.MiniLm;
import dev.attention4j.cli.minilm.SentenceTokens;
import java.io.IOException;
import java.io.InputStream;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The same model as ONNX Runtime runs it: a sentence at a time, so that there is no padding and no mask. */
final class OnnxReference implements AutoCloseable {
    private static final String HIDDEN = "last_hidden_state";

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    /** What the softmax of each layer gives, in the layers' order. */
    private final List<String> weights = new ArrayList<>();

    OnnxReference() throws IOException, OrtException {
        ModelProto.Builder model;
        try (InputStream in = MiniLm.class.getResourceAsStream(MiniLm.MODEL)) {
            model = ModelProto.parseFrom(in).toBuilder();
        }
        for (NodeProto node : model.getGraph().getNodeList()) {
            if (node.getOpType().equals("Softmax")) {
                weights.add(node.getOutput(0));
                model.getGraphBuilder().addOutput(ValueInfoProto.newBuilder().setName(node.getOutput(0)));
            }
        }
        session = environment.createSession(model.build().toByteArray());
    }

    /**
     * The mean of the last layer's rows.
     *
     * @return [384]; of any length
     */
    double[] embedding(SentenceTokens sentence) throws OrtException {
        float[] hidden = run(sentence, List.of(HIDDEN)).get(0);
        int width = hidden.length / sentence.length();
        double[] mean = new double[width];
        for (int n = 0; n < hidden.length; n++) {
            mean[n % width] += hidden[n] / (double) sentence.length();
        }
        return mean;
    }

    /**
     * Who attends to whom.
     *
     * @return for each layer [heads, tokens, tokens]
     */
    List<float[]> attention(SentenceTokens sentence) throws OrtException {
        return run(sentence, weights);
    }

    private List<float[]> run(SentenceTokens sentence, List<String> wanted) throws OrtException {
        long[] ids = sentence.ids().stream().mapToLong(Integer::longValue).toArray();
        long[] ones = new long[ids.length];
        Arrays.fill(ones, 1);
        try (OnnxTensor tokens = OnnxTensor.createTensor(environment, new long[][] {ids});
                OnnxTensor mask = OnnxTensor.createTensor(environment, new long[][] {ones});
                OnnxTensor types = OnnxTensor.createTensor(environment, new long[][] {new long[ids.length]});
                OrtSession.Result result = session.run(
                        Map.of("input_ids", tokens, "attention_mask", mask, "token_type_ids", types),
                        Set.copyOf(wanted))) {
            List<float[]> outputs = new ArrayList<>();
            for (String name : wanted) {
                FloatBuffer floats = ((OnnxTensor) result.get(name).orElseThrow()).getFloatBuffer();
                float[] elements = new float[floats.remaining()];
                floats.get(elements);
                outputs.add(elements);
            }
            return outputs;
        }
    }

    @Override
    public void close() throws OrtException {
        session.close();
    }
}
