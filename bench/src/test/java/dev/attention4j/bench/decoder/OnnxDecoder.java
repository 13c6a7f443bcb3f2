package dev.attention4j.bench.decoder;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.google.protobuf.ByteString;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The same model as ONNX Runtime runs it, a whole text at once: nothing is cached. */
final class OnnxDecoder implements AutoCloseable {
    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final DecoderShape shape;
    private final GraphProto.Builder graph = GraphProto.newBuilder().setName("decoder");
    private int nodes;

    /** A model for texts of one length, whose rotary tables are computed here, in double. */
    OnnxDecoder(DecoderShape shape, DecoderWeights weights, int length) throws OrtException {
        this.shape = shape;
        weights.tensors()
                .forEach((name, tensor) -> constant(name, tensor.rank() == 2 ? transposed(name, tensor) : tensor));
        constant("epsilon", Tensor.of(new float[] {(float) shape.epsilon()}, 1));
        constant("two", Tensor.of(new float[] {2}, 1));
        rotaryTables(length);
        graph.addInitializer(integers("last", length - 1));
        graph.addInitializer(integers("total", length));
        graph.addInput(value("tokens", TensorProto.DataType.INT64, 1, length));
        String vectors = node("Gather", DecoderWeights.EMBEDDINGS, "tokens");
        for (int layer = 0; layer < shape.layers(); layer++) {
            String normalized = normalized(vectors, DecoderWeights.layer(layer, DecoderWeights.ATTENTION_NORM));
            String attended = attention(layer, normalized);
            vectors = node("Add", vectors, times(attended, layer, DecoderWeights.ATTENTION_OUTPUT));
            String ofFeedForward = normalized(vectors, DecoderWeights.layer(layer, DecoderWeights.FEED_FORWARD_NORM));
            String gate = times(ofFeedForward, layer, DecoderWeights.GATE);
            String swish = node("Mul", gate, node("Sigmoid", gate));
            String product = node("Mul", swish, times(ofFeedForward, layer, DecoderWeights.UP));
            vectors = node("Add", vectors, times(product, layer, DecoderWeights.DOWN));
        }
        String logits = node("MatMul", normalized(vectors, DecoderWeights.NORM), DecoderWeights.OUTPUT);
        graph.addOutput(value(logits, TensorProto.DataType.FLOAT, 1, length, shape.vocabulary()));
        ModelProto model = ModelProto.newBuilder()
                .setIrVersion(8)
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(17))
                .addOpsetImport(OperatorSetIdProto.newBuilder()
                        .setDomain("com.microsoft")
                        .setVersion(1))
                .setGraph(graph)
                .build();
        session = environment.createSession(model.toByteArray());
    }

    /** Returns the logits after each token: [length, vocabulary]. */
    float[] logits(int... tokens) throws OrtException {
        long[] ids = Arrays.stream(tokens).asLongStream().toArray();
        try (OnnxTensor input = OnnxTensor.createTensor(environment, new long[][] {ids});
                OrtSession.Result result = session.run(Map.of("tokens", input))) {
            float[] logits = new float[tokens.length * shape.vocabulary()];
            ((OnnxTensor) result.get(0)).getFloatBuffer().get(logits);
            return logits;
        }
    }

    @Override
    public void close() throws OrtException {
        session.close();
    }

    // ---- the graph

    /** The embeddings are looked up by row; all other matrices multiply from the right. */
    private static Tensor transposed(String name, Tensor matrix) {
        return name.equals(DecoderWeights.EMBEDDINGS) ? matrix : matrix.permute(1, 0);
    }

    private String normalized(String vectors, String weights) {
        String mean = add(NodeProto.newBuilder()
                .setOpType("ReduceMean")
                .addInput(node("Pow", vectors, "two"))
                .addAttribute(AttributeProto.newBuilder()
                        .setName("axes")
                        .setType(AttributeProto.AttributeType.INTS)
                        .addInts(-1)));
        String root = node("Sqrt", node("Add", mean, "epsilon"));
        return node("Mul", node("Div", vectors, root), weights);
    }

    private String times(String vectors, int layer, String matrix) {
        return node("MatMul", vectors, DecoderWeights.layer(layer, matrix));
    }

    private String attention(int layer, String vectors) {
        NodeProto.Builder node =
                NodeProto.newBuilder().setOpType("GroupQueryAttention").setDomain("com.microsoft");
        List.of(DecoderWeights.QUERY, DecoderWeights.KEY, DecoderWeights.VALUE)
                .forEach(name -> node.addInput(times(vectors, layer, name)));
        node.addInput("")
                .addInput("")
                .addInput("last")
                .addInput("total")
                .addInput("cosines")
                .addInput("sines");
        node.addAttribute(integer("num_heads", shape.queryHeads()))
                .addAttribute(integer("kv_num_heads", shape.keyValueHeads()))
                .addAttribute(integer("do_rotary", 1));
        String attended = "attended" + layer;
        graph.addNode(node.addOutput(attended).addOutput("keys" + layer).addOutput("values" + layer));
        return attended;
    }

    private static AttributeProto integer(String name, int number) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.INT)
                .setI(number)
                .build();
    }

    private String node(String type, String... inputs) {
        return add(NodeProto.newBuilder().setOpType(type).addAllInput(List.of(inputs)));
    }

    private String add(NodeProto.Builder node) {
        String output = "node" + nodes++;
        graph.addNode(node.addOutput(output));
        return output;
    }

    private void rotaryTables(int length) {
        int pairs = shape.headDim() / 2;
        float[] cosines = new float[length * pairs];
        float[] sines = new float[length * pairs];
        for (int n = 0; n < cosines.length; n++) {
            int position = n / pairs;
            double angle = position * Math.pow(shape.rotaryBase(), -2.0 * (n % pairs) / shape.headDim());
            cosines[n] = (float) Math.cos(angle);
            sines[n] = (float) Math.sin(angle);
        }
        constant("cosines", Tensor.of(cosines, length, pairs));
        constant("sines", Tensor.of(sines, length, pairs));
    }

    private void constant(String name, Tensor tensor) {
        ByteBuffer raw = ByteBuffer.allocate((int) tensor.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(tensor.to(DType.FLOAT32).toFloatArray());
        TensorProto.Builder constant = TensorProto.newBuilder()
                .setName(name)
                .setDataType(TensorProto.DataType.FLOAT.getNumber())
                .setRawData(ByteString.copyFrom(raw.array()));
        Arrays.stream(tensor.shape()).forEach(constant::addDims);
        graph.addInitializer(constant);
    }

    private static TensorProto integers(String name, int number) {
        return TensorProto.newBuilder()
                .setName(name)
                .setDataType(TensorProto.DataType.INT32.getNumber())
                .addDims(1)
                .addInt32Data(number)
                .build();
    }

    private static ValueInfoProto value(String name, TensorProto.DataType type, int... sizes) {
        TensorShapeProto.Builder ofShape = TensorShapeProto.newBuilder();
        for (int size : sizes) {
            ofShape.addDim(TensorShapeProto.Dimension.newBuilder().setDimValue(size));
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(type.getNumber())
                                .setShape(ofShape)))
                .build();
    }
}
