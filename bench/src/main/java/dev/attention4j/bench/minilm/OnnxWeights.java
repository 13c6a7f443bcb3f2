package dev.attention4j.bench.minilm;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import dev.attention4j.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * The weights in an ONNX file that PyTorch wrote, by the names that they have there: {@code
 * encoder.layer.0.attention.self.query.bias}.
 */
final class OnnxWeights {
    private static final String PRODUCT = "MatMul";

    private final Map<String, TensorProto> byName = new HashMap<>();

    private OnnxWeights(GraphProto graph) {
        for (TensorProto tensor : graph.getInitializerList()) {
            byName.put(tensor.getName(), tensor);
        }
        for (NodeProto node : graph.getNodeList()) {
            if (node.getOpType().equals(PRODUCT) && byName.containsKey(node.getInput(1))) {
                byName.put(kernelName(node), byName.get(node.getInput(1)));
            }
        }
    }

    /**
     * Reads a file.
     *
     * @param in the file's content
     * @throws IOException if it is not an ONNX file, or cannot be read
     */
    static OnnxWeights read(InputStream in) throws IOException {
        return new OnnxWeights(ModelProto.parseFrom(in).getGraph());
    }

    /**
     * The exporter transposes what a linear module multiplies by, and a transposed weight loses its name: {@code
     * onnx::MatMul_787}. The product keeps its module's: {@code /encoder/layer.0/output/dense/MatMul}.
     */
    private static String kernelName(NodeProto node) {
        String module = node.getName().substring(1, node.getName().length() - PRODUCT.length());
        return module.replace('/', '.') + "kernel";
    }

    /** Whether there is a weight of this name. */
    boolean has(String name) {
        return byName.containsKey(name);
    }

    /**
     * A weight; what a linear module multiplies by is {@code MODULE.kernel}, [inputs, outputs].
     *
     * @return a copy, float32
     * @throws IllegalArgumentException if there is none of this name, or it is not stored as float32
     */
    Tensor tensor(String name) {
        TensorProto tensor = byName.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("weights: the model has no " + name);
        }
        if (tensor.getDataType() != TensorProto.DataType.FLOAT.getNumber() || !tensor.hasRawData()) {
            throw new IllegalArgumentException("weights: " + name + " is not stored as float32 bytes");
        }
        FloatBuffer elements = tensor.getRawData()
                .asReadOnlyByteBuffer()
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
        long[] shape = tensor.getDimsList().stream().mapToLong(Long::longValue).toArray();
        return Tensor.of(elements, shape);
    }

    /** As {@link #tensor}, as an array. */
    float[] array(String name) {
        return tensor(name).toFloatArray();
    }
}
