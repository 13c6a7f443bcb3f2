package dev.attention4j.io;

import dev.attention4j.DType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The JSON at the start of a safetensors file.
 *
 * @param entries one for each tensor, in the order of their data, which leaves no gap and has no overlap
 * @param metadata the strings under {@code __metadata__}
 */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata) {
    /** The limit of the reference implementation. */
    static final int MAX_BYTES = 100_000_000;

    static final int MAX_AXES = 64;

    /** The largest tensor of Tensor.zeros: a Java buffer is indexed by an int. */
    static final long MAX_TENSOR_BYTES = Integer.MAX_VALUE - 128L;

    static final String METADATA = "__metadata__";

    /**
     * The types in the order in which the reference implementation writes them, larger elements first, which aligns all.
     */
    private static final Map<String, DType> DTYPES = new LinkedHashMap<>();

    static {
        DTYPES.put("I64", DType.INT64);
        DTYPES.put("F64", DType.FLOAT64);
        DTYPES.put("F32", DType.FLOAT32);
        DTYPES.put("I32", DType.INT32);
        DTYPES.put("BF16", DType.BFLOAT16);
        DTYPES.put("F16", DType.FLOAT16);
        DTYPES.put("I16", DType.INT16);
        DTYPES.put("I8", DType.INT8);
        DTYPES.put("U8", DType.UINT8);
        DTYPES.put("BOOL", DType.BOOL);
    }

    private static final List<String> DTYPE_NAMES = List.copyOf(DTYPES.keySet());

    /**
     * A tensor's position: bytes begin to end, counted from the end of the header. The dtype is null if the tensor is not
     * wanted.
     */
    @SuppressWarnings("ArrayRecordComponent") // Nobody compares two entries.
    record Entry(String name, DType dtype, long[] shape, long begin, long end) {
        long bytes() {
            return end - begin;
        }

        boolean isWanted() {
            return dtype != null;
        }
    }

    /** The end of the last tensor, counted from the end of the header. */
    long dataBytes() {
        return entries.isEmpty() ? 0 : entries.get(entries.size() - 1).end();
    }

    /** The names of all tensors, in the order of their data. */
    List<String> names() {
        return entries.stream().map(Entry::name).toList();
    }

    static List<String> dtypeNames() {
        return DTYPE_NAMES;
    }

    /** Returns null for an unknown name. */
    static DType dtype(String name) {
        return DTYPES.get(name);
    }

    static String dtypeName(DType dtype) {
        return DTYPE_NAMES.get(writingOrder(dtype));
    }

    static int writingOrder(DType dtype) {
        return List.copyOf(DTYPES.values()).indexOf(dtype);
    }

    /**
     * The bytes of a shape. Every intermediate product must fit a long, because the strides of an empty tensor must not overflow
     * either.
     *
     * @throws ArithmeticException if one does not
     */
    static long byteCount(DType dtype, long... shape) {
        long product = dtype.bytes();
        for (long size : shape) {
            product = Math.multiplyExact(product, Math.max(1, size));
        }
        return Arrays.stream(shape).anyMatch(size -> size == 0) ? 0 : product;
    }
}
