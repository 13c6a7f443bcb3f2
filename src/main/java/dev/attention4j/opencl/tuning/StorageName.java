package dev.attention4j.opencl.tuning;

import dev.attention4j.DType;
import java.util.Arrays;
import java.util.Locale;

/** The names of tensors' types in files and on command lines: {@code float32} is {@link DType#FLOAT32}. */
public final class StorageName {
    private StorageName() {}

    /** Returns the name of a type, in lower case. */
    public static String of(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }

    /** Returns the type of a name, if query, key and value may have it; the error names the argument. */
    public static DType parse(String argument, String name) {
        return Arrays.stream(DType.values())
                .filter(dtype -> dtype.isAttentionStorage() && of(dtype).equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(argument + ": \"" + name + "\", must be one of "
                        + Arrays.stream(DType.values())
                                .filter(DType::isAttentionStorage)
                                .map(StorageName::of)
                                .toList()));
    }
}
