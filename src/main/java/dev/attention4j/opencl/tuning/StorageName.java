package dev.attention4j.opencl.tuning;

import dev.attention4j.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;

/** The names of tensors' types in files and on command lines: {@code float32} is {@link DType#FLOAT32}. */
public final class StorageName {
    private StorageName() {}

    /** Returns the name of a type, in lower case. */
    public static String of(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }

    /** Returns the type of a name, if query, key and value may all have it; the error names the argument. */
    public static DType parse(String argument, String name) {
        return parse(argument, name, DType::isAttentionStorage);
    }

    /** Returns the type of a name, if key and value may have it; the error names the argument. */
    public static DType parseKeyValue(String argument, String name) {
        return parse(argument, name, DType::isKeyValueStorage);
    }

    private static DType parse(String argument, String name, Predicate<DType> allowed) {
        List<DType> types = Arrays.stream(DType.values()).filter(allowed).toList();
        return types.stream()
                .filter(dtype -> of(dtype).equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(argument + ": \"" + name + "\", must be one of "
                        + types.stream().map(StorageName::of).toList()));
    }
}
