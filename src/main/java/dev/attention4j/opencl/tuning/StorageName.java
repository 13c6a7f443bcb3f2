package dev.attention4j.opencl.tuning;

import dev.attention4j.DType;
import java.util.Arrays;
import java.util.Locale;

/** What the types of tensors are called in files and on command lines: {@code float32} is {@link DType#FLOAT32}. */
public final class StorageName {
    private StorageName() {}

    /**
     * The name of a type.
     *
     * @param dtype any
     * @return in lower case
     */
    public static String of(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }

    /**
     * The type of a name, one of those that query, key and value may have.
     *
     * @param argument what was named, as the error is to call it
     * @param name such as {@code float16}
     * @return float32, float16 or bfloat16
     * @throws IllegalArgumentException if it is none of these
     */
    public static DType parse(String argument, String name) {
        return Arrays.stream(DType.values())
                .filter(dtype -> dtype.isAttentionStorage() && of(dtype).equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        argument + ": \"" + name + "\", must be float32, float16 or bfloat16"));
    }
}
