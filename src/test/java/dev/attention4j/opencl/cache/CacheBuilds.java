package dev.attention4j.opencl.cache;

import dev.attention4j.DType;
import dev.attention4j.backends.KernelBuild;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The builds of {@code append} and {@code rotate_heads} for a GPU. */
public final class CacheBuilds {
    private CacheBuilds() {}

    /** Returns what a device may be asked to build. */
    public static List<KernelBuild> all(ClDevice device) {
        List<KernelBuild> all = new ArrayList<>();
        int rowsEach = Append.rowsEach(device);
        int items = Append.groupItems(device);
        for (DType from : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.Q8_0, DType.Q4_0)) {
            for (DType to : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.Q8_0, DType.Q4_0)) {
                boolean quantized = from == DType.Q8_0 || from == DType.Q4_0;
                if (from != to && (quantized || from != DType.FLOAT32)) {
                    continue;
                }
                Append.Rows rows = new Append.Rows(null, from, null, to, 128);
                all.add(new KernelBuild(
                        "append " + name(from) + " to " + name(to),
                        "cache/append.cl",
                        "append",
                        items,
                        Append.defines(device, rows, rows, rowsEach, items),
                        true));
            }
        }
        for (boolean interleaved : new boolean[] {false, true}) {
            for (DType type : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
                RotateHeads.Heads heads = new RotateHeads.Heads(null, type, null, type, 1, 1, 1, 128);
                RotateHeads.Tables tables = new RotateHeads.Tables(null, null, 64, interleaved);
                all.add(new KernelBuild(
                        "rotate_heads " + name(type) + (interleaved ? " interleaved" : ""),
                        "cache/rotate_heads.cl",
                        "rotate_heads",
                        items,
                        RotateHeads.defines(device, heads, tables, interleaved, rowsEach, items),
                        true));
            }
        }
        return all;
    }

    private static String name(DType dtype) {
        return dtype.toString().toLowerCase(Locale.ROOT);
    }
}
