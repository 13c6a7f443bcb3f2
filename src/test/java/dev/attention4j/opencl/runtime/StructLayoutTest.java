package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

/** Where the host puts each number of a struct is where a C compiler looks for it, and none is forgotten. */
class StructLayoutTest {
    private static final StructLayout LAYOUT = StructLayout.of("common/forward_call.clh", "ForwardCall");
    /** Three structs of four longs and two of five come first, then ints. */
    private static final int FIRST_INT = (3 * 4 + 2 * 5 + 2) * 8;

    private static StructLayout.Values all() {
        StructLayout.Values values = LAYOUT.values();
        for (String name : new String[] {"query", "key", "value"}) {
            for (String field : new String[] {"offset", "batchStride", "headStride", "rowStride"}) {
                values.put(name + "." + field, 1L);
            }
        }
        for (String name : new String[] {"mask", "bias"}) {
            for (String field : new String[] {"offset", "batchStride", "headStride", "queryStride", "keyStride"}) {
                values.put(name + "." + field, 2L);
            }
        }
        for (String field : new String[] {
            "options",
            "queryHeads",
            "group",
            "unitHeads",
            "queries",
            "keys",
            "headDim",
            "valueDim",
            "offset",
            "left",
            "right",
            "slopeStride",
            "lastPage",
            "pageShift"
        }) {
            values.put(field, 3);
        }
        for (String field : new String[] {"keyScales", "valueScales", "tableOffset", "tableStride"}) {
            values.put(field, 6L);
        }
        return values.put("scale", 4f).put("softcap", 5f);
    }

    @Test
    void numbersLieAsInC() {
        byte[] bytes = all().put("key.offset", 7L)
                .put("bias.keyStride", 8L)
                .put("tableStride", 11L)
                .put("options", 9)
                .put("softcap", 10f)
                .toBytes();
        ByteBuffer memory = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        assertThat(memory.getLong(4 * 8)).isEqualTo(7);
        assertThat(memory.getLong(FIRST_INT - 3 * 8)).isEqualTo(8);
        assertThat(memory.getInt(FIRST_INT)).isEqualTo(9);
        assertThat(memory.getFloat(FIRST_INT + 13 * 4)).isEqualTo(10f);
        assertThat(memory.getLong(bytes.length - 8)).isEqualTo(11);
        assertThat(bytes).hasSize(FIRST_INT + 16 * 4 + 2 * 8);
    }

    @Test
    void mistakesAreRefused() {
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> LAYOUT.values().put("kyes", 1))
                .withMessage("struct ForwardCall: no int kyes");
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> LAYOUT.values().put("keys", 1L))
                .withMessage("struct ForwardCall: no long keys");
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> LAYOUT.values().put("keys", 1).toBytes())
                .withMessageStartingWith("struct ForwardCall: not set: [bias.batchStride, ");
        assertThatExceptionOfType(IllegalArgumentException.class)
                .isThrownBy(() -> StructLayout.of("common/forward_call.clh", "BackwardCall"))
                .withMessage("no struct BackwardCall in opencl/common/forward_call.clh");
    }
}
