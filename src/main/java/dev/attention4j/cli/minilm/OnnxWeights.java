package dev.attention4j.cli.minilm;

import dev.attention4j.Tensor;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The weights in an ONNX file that PyTorch wrote, by the names that they have there: {@code
 * encoder.layer.0.attention.self.query.bias}.
 */
final class OnnxWeights {
    private static final String PRODUCT = "MatMul";

    /** The numbers of fields in onnx.proto. */
    private static final int MODEL_GRAPH = 7;

    private static final int GRAPH_NODE = 1;
    private static final int GRAPH_INITIALIZER = 5;
    private static final int NODE_INPUT = 1;
    private static final int NODE_NAME = 3;
    private static final int NODE_OPERATOR = 4;
    private static final int TENSOR_DIMENSIONS = 1;
    private static final int TENSOR_TYPE = 2;
    private static final int TENSOR_NAME = 8;
    private static final int TENSOR_BYTES = 9;
    private static final int FLOAT32 = 1;

    private final Map<String, Weight> byName = new HashMap<>();

    /** A tensor in the file; its bytes are the file's own. */
    private record Weight(List<Long> shape, long type, ByteBuffer bytes) {}

    private OnnxWeights() {}

    /** Finds the weights of a file. */
    static OnnxWeights read(byte[] file) throws IOException {
        OnnxWeights weights = new OnnxWeights();
        List<ByteBuffer> nodes = new ArrayList<>();
        ProtoReader model = new ProtoReader(ByteBuffer.wrap(file));
        while (model.next()) {
            ProtoReader graph = new ProtoReader(model.field() == MODEL_GRAPH ? model.bytes() : ByteBuffer.allocate(0));
            while (graph.next()) {
                if (graph.field() == GRAPH_INITIALIZER) {
                    weights.addTensor(graph.bytes());
                } else if (graph.field() == GRAPH_NODE) {
                    nodes.add(graph.bytes());
                }
            }
        }
        for (ByteBuffer node : nodes) {
            weights.nameKernel(node);
        }
        return weights;
    }

    private void addTensor(ByteBuffer message) throws IOException {
        ProtoReader tensor = new ProtoReader(message);
        List<Long> shape = new ArrayList<>();
        long type = 0;
        String name = "";
        ByteBuffer bytes = null;
        while (tensor.next()) {
            switch (tensor.field()) {
                case TENSOR_DIMENSIONS -> {
                    ByteBuffer list = tensor.bytes().duplicate();
                    if (!list.hasRemaining()) {
                        shape.add(tensor.number());
                    }
                    while (list.hasRemaining()) {
                        shape.add(ProtoReader.packed(list));
                    }
                }
                case TENSOR_TYPE -> type = tensor.number();
                case TENSOR_NAME -> name = tensor.text();
                case TENSOR_BYTES -> bytes = tensor.bytes();
                default -> {
                    // Of no use here.
                }
            }
        }
        byName.put(name, new Weight(List.copyOf(shape), type, bytes));
    }

    /**
     * The exporter transposes what a linear module multiplies by, and a transposed weight loses its name: {@code
     * onnx::MatMul_787}. The product keeps its module's: {@code /encoder/layer.0/output/dense/MatMul}.
     */
    private void nameKernel(ByteBuffer message) throws IOException {
        ProtoReader node = new ProtoReader(message);
        List<String> inputs = new ArrayList<>();
        String name = "";
        String operator = "";
        while (node.next()) {
            switch (node.field()) {
                case NODE_INPUT -> inputs.add(node.text());
                case NODE_NAME -> name = node.text();
                case NODE_OPERATOR -> operator = node.text();
                default -> {
                    // Of no use here.
                }
            }
        }
        if (operator.equals(PRODUCT)
                && inputs.size() == 2
                && byName.containsKey(inputs.get(1))
                && name.startsWith("/")
                && name.endsWith(PRODUCT)) {
            String module = name.substring(1, name.length() - PRODUCT.length());
            byName.put(module.replace('/', '.') + "kernel", byName.get(inputs.get(1)));
        }
    }

    /** Returns true if there is a weight of this name. */
    boolean has(String name) {
        return byName.containsKey(name);
    }

    /** Returns a weight; what a linear module multiplies by is {@code MODULE.kernel}, [inputs, outputs]. */
    Tensor tensor(String name) {
        Weight weight = byName.get(name);
        if (weight == null) {
            throw new IllegalArgumentException("model: it has no weight " + name + ", must be all-MiniLM-L6-v2");
        }
        long count = 1;
        for (long size : weight.shape) {
            count = size < 0 || size > Integer.MAX_VALUE ? -1 : Math.multiplyExact(count, size);
        }
        if (weight.type != FLOAT32 || weight.bytes == null || weight.bytes.remaining() != count * Float.BYTES) {
            throw new IllegalArgumentException("model: its weight " + name + " is not stored as float32 bytes");
        }
        FloatBuffer elements =
                weight.bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        return Tensor.of(
                elements, weight.shape.stream().mapToLong(Long::longValue).toArray());
    }

    /** As {@link #tensor}, as an array. */
    float[] array(String name) {
        return tensor(name).toFloatArray();
    }

    /** Reads the fields of a message in Protocol Buffers' wire format, one after another, without copying them. */
    private static final class ProtoReader {
        private static final int VARINT = 0;
        private static final int EIGHT_BYTES = 1;
        private static final int BYTES = 2;
        private static final int FOUR_BYTES = 5;
        private static final int VARINT_BITS = 63;

        private final ByteBuffer message;
        private int field;
        private long number;
        private ByteBuffer bytes;

        /** A reader of a message that lies between the buffer's position and its limit. */
        ProtoReader(ByteBuffer message) {
            this.message = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        }

        /** Goes to the next field; false at the message's end. */
        boolean next() throws IOException {
            if (!message.hasRemaining()) {
                return false;
            }
            try {
                long tag = varint();
                field = (int) (tag >>> 3);
                bytes = null;
                switch ((int) (tag & 7)) {
                    case VARINT -> number = varint();
                    case EIGHT_BYTES -> number = message.getLong();
                    case FOUR_BYTES -> number = message.getInt();
                    case BYTES -> bytes = take(varint());
                    default -> throw new IOException("the file is damaged: a field of unknown type " + (tag & 7));
                }
                return true;
            } catch (BufferUnderflowException e) {
                throw new IOException("the file is damaged: it ends within a field", e);
            }
        }

        /** Returns the field's number. */
        int field() {
            return field;
        }

        /** Returns the field's value where it is a number. */
        long number() {
            return number;
        }

        /** Returns the field's value where it is bytes, a text or a message; empty where it is a number. */
        ByteBuffer bytes() {
            return bytes == null ? ByteBuffer.allocate(0) : bytes;
        }

        /** Returns the field's value as a text. */
        String text() {
            return StandardCharsets.UTF_8.decode(bytes().duplicate()).toString();
        }

        /** Returns a number of a packed list, and goes on to the next of it. */
        static long packed(ByteBuffer list) throws IOException {
            try {
                return new ProtoReader(list).varintOf(list);
            } catch (BufferUnderflowException e) {
                throw new IOException("the file is damaged: a list ends within a number", e);
            }
        }

        private long varintOf(ByteBuffer list) throws IOException {
            long value = varint();
            list.position(message.position());
            return value;
        }

        private long varint() throws IOException {
            long value = 0;
            for (int shift = 0; shift <= VARINT_BITS; shift += 7) {
                byte part = message.get();
                value |= (long) (part & 0x7F) << shift;
                if (part >= 0) {
                    return value;
                }
            }
            throw new IOException("the file is damaged: a number of more than 10 bytes");
        }

        private ByteBuffer take(long length) throws IOException {
            if (length < 0 || length > message.remaining()) {
                throw new IOException(
                        "the file is damaged: a field of " + length + " bytes, " + message.remaining() + " are left");
            }
            ByteBuffer taken = message.slice(message.position(), (int) length);
            message.position(message.position() + (int) length);
            return taken;
        }
    }
}
