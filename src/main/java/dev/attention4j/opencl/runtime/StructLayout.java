package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory layout of a struct that kernels get by value, read from its declaration in a kernel file: numbers are set by
 * the names that the kernel gives them, in any order.
 *
 * <p>Understands {@code typedef struct} of {@code int}, {@code long}, {@code float} and structs declared before it.
 */
public final class StructLayout {
    private static final Pattern DECLARATION = Pattern.compile("typedef struct \\{([^}]*)}\\s*(\\w+);");
    private static final Pattern FIELD = Pattern.compile("(\\w+) (\\w+);");
    private static final Map<String, Integer> SIZES = Map.of("int", 4, "float", 4, "long", 8);

    /** A number's place. */
    private record Field(String type, int offset, int index) {}

    private final String name;
    private final Map<String, Field> fields = new HashMap<>();
    private final int byteSize;

    private StructLayout(String name, Map<String, String> types) {
        this.name = name;
        int at = 0;
        int largest = 1;
        for (Map.Entry<String, String> field : types.entrySet()) {
            int size = SIZES.get(field.getValue());
            at = (at + size - 1) / size * size;
            fields.put(field.getKey(), new Field(field.getValue(), at, fields.size()));
            at += size;
            largest = Math.max(largest, size);
        }
        byteSize = at;
        if (at % largest != 0) {
            throw new IllegalArgumentException(
                    "struct " + name + ": " + at + " bytes, must be a multiple of " + largest + "; add a field");
        }
    }

    /**
     * Reads a declaration in a file under {@code opencl/}.
     *
     * @throws IllegalArgumentException if it is not declared there, or needs padding at its end
     */
    public static StructLayout of(String file, String name) {
        Map<String, Map<String, String>> structs = new HashMap<>();
        Matcher declaration = DECLARATION.matcher(
                KernelSource.read(file).replaceAll("//[^\n]*", "").replaceAll("\\s+", " "));
        while (declaration.find()) {
            Map<String, String> types = new LinkedHashMap<>();
            Matcher field = FIELD.matcher(declaration.group(1));
            while (field.find()) {
                String type = field.group(1);
                String fieldName = field.group(2);
                if (SIZES.containsKey(type)) {
                    types.put(fieldName, type);
                } else {
                    structs.get(type).forEach((inner, innerType) -> types.put(fieldName + "." + inner, innerType));
                }
            }
            structs.put(declaration.group(2), types);
        }
        if (!structs.containsKey(name)) {
            throw new IllegalArgumentException("no struct " + name + " in opencl/" + file);
        }
        return new StructLayout(name, structs.get(name));
    }

    /** Returns a struct of which no number is set yet. */
    public Values values() {
        return new Values();
    }

    /** The numbers of one struct. */
    public final class Values {
        private final ByteBuffer bytes = ByteBuffer.allocate(byteSize).order(ByteOrder.nativeOrder());
        private final BitSet set = new BitSet();

        private Values() {}

        /** Sets an {@code int}. */
        public Values put(String field, int value) {
            bytes.putInt(offset(field, "int"), value);
            return this;
        }

        /** Sets a {@code long}. */
        public Values put(String field, long value) {
            bytes.putLong(offset(field, "long"), value);
            return this;
        }

        /** Sets a {@code float}. */
        public Values put(String field, float value) {
            bytes.putFloat(offset(field, "float"), value);
            return this;
        }

        private int offset(String fieldName, String type) {
            Field field = fields.get(fieldName);
            if (field == null || !field.type.equals(type)) {
                throw new IllegalArgumentException("struct " + name + ": no " + type + " " + fieldName);
            }
            set.set(field.index);
            return field.offset;
        }

        /**
         * Returns the struct's memory.
         *
         * @throws IllegalStateException if a number was not set
         */
        byte[] toBytes() {
            if (set.cardinality() < fields.size()) {
                throw new IllegalStateException("struct " + name + ": not set: "
                        + fields.entrySet().stream()
                                .filter(field -> !set.get(field.getValue().index))
                                .map(Map.Entry::getKey)
                                .sorted()
                                .toList());
            }
            return bytes.array();
        }
    }
}
