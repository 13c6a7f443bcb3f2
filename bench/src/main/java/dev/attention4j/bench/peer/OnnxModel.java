package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes ONNX models of one {@code com.microsoft.MultiHeadAttention} or {@code GroupQueryAttention} node, or of a layer:
 * the few messages of {@code onnx.proto} that they take, in Protocol Buffers' wire format.
 */
final class OnnxModel {
    private static final int IR_VERSION = 8;
    private static final int OPSET = 17;

    /** TensorProto.DataType.FLOAT. */
    private static final int FLOAT = 1;

    /** TensorProto.DataType.INT32. */
    private static final int INT32 = 6;

    /** TensorProto.DataType.INT64. */
    private static final int INT64 = 7;

    /** AttributeProto.AttributeType.INT. */
    private static final int INT_ATTRIBUTE = 2;

    /** AttributeProto.AttributeType.FLOAT. */
    private static final int FLOAT_ATTRIBUTE = 1;

    /** Of GroupQueryAttention, in its order: the type and the number of axes. */
    private static final Map<String, int[]> GROUP_QUERY_INPUTS = new LinkedHashMap<>();

    static {
        GROUP_QUERY_INPUTS.put("query", new int[] {FLOAT, 3});
        GROUP_QUERY_INPUTS.put("key", new int[] {FLOAT, 3});
        GROUP_QUERY_INPUTS.put("value", new int[] {FLOAT, 3});
        GROUP_QUERY_INPUTS.put("past_key", new int[] {FLOAT, 4});
        GROUP_QUERY_INPUTS.put("past_value", new int[] {FLOAT, 4});
        GROUP_QUERY_INPUTS.put("seqlens_k", new int[] {INT32, 1});
        GROUP_QUERY_INPUTS.put("total_sequence_length", new int[] {INT32, 1});
        GROUP_QUERY_INPUTS.put("cos_cache", new int[] {FLOAT, 2});
        GROUP_QUERY_INPUTS.put("sin_cache", new int[] {FLOAT, 2});
        GROUP_QUERY_INPUTS.put("position_ids", new int[] {INT64, 2});
        GROUP_QUERY_INPUTS.put("attention_bias", new int[] {FLOAT, 4});
        GROUP_QUERY_INPUTS.put("head_sink", new int[] {FLOAT, 1});
    }

    private OnnxModel() {}

    /**
     * The model: inputs {@code query}, {@code key}, {@code value} and perhaps {@code attention_bias}, output {@code
     * output}, all float32 of any size.
     *
     * @param bias whether there is an {@code attention_bias} [batch or 1, heads or 1, queryLength, keyLength]
     */
    static byte[] multiHeadAttention(int heads, boolean causal, boolean bias) {
        Message node = new Message().text(1, "query").text(1, "key").text(1, "value");
        if (bias) {
            // The inputs between are optional: bias of the projections and key padding mask.
            node.text(1, "").text(1, "").text(1, "attention_bias");
        }
        node.text(2, "output")
                .text(3, "attention")
                .text(4, "MultiHeadAttention")
                .text(7, "com.microsoft");
        node.message(5, attribute("num_heads", heads)).message(5, attribute("unidirectional", causal ? 1 : 0));
        Message graph = new Message()
                .message(1, node)
                .text(2, "attention")
                .message(11, tensor("query", 3))
                .message(11, tensor("key", 3))
                .message(11, tensor("value", 3));
        if (bias) {
            graph.message(11, tensor("attention_bias", 4));
        }
        graph.message(12, tensor("output", 3));
        return model(graph);
    }

    /**
     * A model whose attention is causal: inputs {@code query}, {@code key}, {@code value}, {@code seqlens_k} [batch]
     * and {@code total_sequence_length} [1] (int32), and perhaps {@code past_key} and {@code past_value}; outputs
     * {@code output}, {@code present_key}, {@code present_value}.
     *
     * @param past whether there is a past [batch, keyValueHeads, keyLength, headDim]
     */
    static byte[] groupQueryAttention(int heads, int keyValueHeads, boolean past) {
        List<String> inputs = new ArrayList<>(List.of("query", "key", "value"));
        if (past) {
            inputs.addAll(List.of("past_key", "past_value"));
        }
        inputs.addAll(List.of("seqlens_k", "total_sequence_length"));
        return groupQueryAttention(inputs, Map.of("num_heads", heads, "kv_num_heads", keyValueHeads));
    }

    /**
     * A model of the operator with any of its inputs and attributes.
     *
     * @param inputs those given, by the operator's names
     * @param attributes an {@code Integer} or a {@code Float} each
     */
    static byte[] groupQueryAttention(Collection<String> inputs, Map<String, ? extends Number> attributes) {
        Message node = new Message();
        GROUP_QUERY_INPUTS.forEach((name, type) -> node.text(1, inputs.contains(name) ? name : ""));
        node.text(2, "output")
                .text(2, "present_key")
                .text(2, "present_value")
                .text(3, "attention")
                .text(4, "GroupQueryAttention")
                .text(7, "com.microsoft");
        attributes.forEach((name, number) -> node.message(
                5, number instanceof Float real ? attribute(name, real) : attribute(name, number.intValue())));
        Message graph = new Message().message(1, node).text(2, "attention");
        GROUP_QUERY_INPUTS.forEach((name, type) -> {
            if (inputs.contains(name)) {
                graph.message(11, tensor(name, type[0], type[1]));
            }
        });
        return model(graph.message(12, tensor("output", 3))
                .message(12, tensor("present_key", 4))
                .message(12, tensor("present_value", 4)));
    }

    /**
     * A self-attention layer: {@code com.microsoft.Attention}, which projects its input itself, and a projection behind
     * it; input {@code input}, output {@code output}, float32, the weights inside.
     *
     * @param inputWeights [width, 3 · width]: query, key, value
     */
    static byte[] layer(int heads, Tensor inputWeights, Tensor inputBias, Tensor outputWeights, Tensor outputBias) {
        Message attention = new Message()
                .text(1, "input")
                .text(1, "input_weights")
                .text(1, "input_bias")
                .text(2, "attended")
                .text(3, "attention")
                .text(4, "Attention")
                .text(7, "com.microsoft")
                .message(5, attribute("num_heads", heads));
        Message product = new Message()
                .text(1, "attended")
                .text(1, "output_weights")
                .text(2, "product")
                .text(4, "MatMul");
        Message sum = new Message()
                .text(1, "product")
                .text(1, "output_bias")
                .text(2, "output")
                .text(4, "Add");
        return model(new Message()
                .message(1, attention)
                .message(1, product)
                .message(1, sum)
                .text(2, "layer")
                .message(5, initializer("input_weights", inputWeights))
                .message(5, initializer("input_bias", inputBias))
                .message(5, initializer("output_weights", outputWeights))
                .message(5, initializer("output_bias", outputBias))
                .message(11, tensor("input", 3))
                .message(12, tensor("output", 3)));
    }

    private static byte[] model(Message graph) {
        return new Message()
                .number(1, IR_VERSION)
                .text(2, "attention4j-bench")
                .message(7, graph)
                .message(8, new Message().text(1, "").number(2, OPSET))
                .message(8, new Message().text(1, "com.microsoft").number(2, 1))
                .bytes();
    }

    /** A TensorProto with its numbers as raw, little-endian bytes. */
    private static Message initializer(String name, Tensor tensor) {
        Message initializer = new Message();
        for (long size : tensor.shape()) {
            initializer.number(1, size);
        }
        ByteBuffer raw = ByteBuffer.allocate((int) tensor.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(tensor.toFloatArray());
        return initializer.number(2, FLOAT).text(8, name).raw(9, raw.array());
    }

    private static Message attribute(String name, int value) {
        return new Message().text(1, name).number(3, value).number(20, INT_ATTRIBUTE);
    }

    private static Message attribute(String name, float value) {
        return new Message().text(1, name).real(2, value).number(20, FLOAT_ATTRIBUTE);
    }

    /** A ValueInfoProto with named, so unknown, sizes. */
    private static Message tensor(String name, int rank) {
        return tensor(name, FLOAT, rank);
    }

    private static Message tensor(String name, int elements, int rank) {
        Message shape = new Message();
        for (int axis = 0; axis < rank; axis++) {
            shape.message(1, new Message().text(2, name + "_" + axis));
        }
        Message type =
                new Message().message(1, new Message().number(1, elements).message(2, shape));
        return new Message().text(1, name).message(2, type);
    }

    /** A Protocol Buffers message under construction. */
    private static final class Message {
        private static final int VARINT = 0;
        private static final int LENGTH_DELIMITED = 2;
        private static final int FIXED32 = 5;

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Message number(int field, long value) {
            varint(((long) field << 3) | VARINT);
            varint(value);
            return this;
        }

        Message real(int field, float value) {
            varint(((long) field << 3) | FIXED32);
            bytes.writeBytes(ByteBuffer.allocate(Float.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putFloat(value)
                    .array());
            return this;
        }

        Message text(int field, String value) {
            return field(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Message raw(int field, byte[] value) {
            return field(field, value);
        }

        Message message(int field, Message value) {
            return field(field, value.bytes());
        }

        byte[] bytes() {
            return bytes.toByteArray();
        }

        private Message field(int field, byte[] content) {
            varint(((long) field << 3) | LENGTH_DELIMITED);
            varint(content.length);
            bytes.writeBytes(content);
            return this;
        }

        private void varint(long value) {
            long rest = value;
            while ((rest & ~0x7FL) != 0) {
                bytes.write((int) ((rest & 0x7F) | 0x80));
                rest >>>= 7;
            }
            bytes.write((int) rest);
        }
    }
}
