package dev.attention4j.bench.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes TorchScript modules without parameters, whose {@code forward} is a call of {@code
 * scaled_dot_product_attention}, its gradients, a layer around it, or a projection: a zip of its code, its pickled (empty) state and
 * its constants (none), as {@code torch.jit.save} makes it.
 */
public final class TorchModule {
    private static final String NAME = "attention";

    private static final String CLASS =
            """
            class Attention(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              _is_full_backward_hook : Optional[bool]
              def forward(self: __torch__.Attention, %s) -> %s:
            """;

    private static final String REPEAT =
            """
                n = torch.floordiv(torch.size(q, 1), torch.size(k, 1))
                k = torch.repeat_interleave(k, n, 1)
                v = torch.repeat_interleave(v, n, 1)
            """;

    private static final String ATTEND =
            """
                return torch.scaled_dot_product_attention(q, k, v, %s, 0., %s, scale=%s)
            """;

    /** The graph stays for another call. */
    private static final String GRADIENTS =
            """
                r = torch.grad([o], [%1$s], annotate(List[Optional[Tensor]], [g]), True, False, False)
                return (%2$s)
            """;

    private static final String LAYER_INPUTS = "x: Tensor, w: Tensor, c: Tensor, u: Tensor, d: Tensor";

    /** As {@code torch.nn.functional.multi_head_attention_forward} does it where no weights are wanted. */
    private static final String LAYER =
            """
                b = torch.size(x, 0)
                t = torch.size(x, 1)
                e = torch.size(x, 2)
                p = torch.view(torch.linear(x, w, c), [b, t, 3, %1$d, torch.floordiv(e, %1$d)])
                h = torch.permute(p, [2, 0, 3, 1, 4])
                o = torch.scaled_dot_product_attention(torch.select(h, 0, 0), torch.select(h, 0, 1), torch.select(h, 0, 2), None, 0., False)
                return torch.linear(torch.reshape(torch.transpose(o, 1, 2), [b, t, e]), u, d)
            """;

    private static final String NATIVE_LAYER =
            """
                e = torch.size(x, 2)
                o, n, = torch._native_multi_head_attention(x, x, x, e, %d, w, c, u, d, None, False)
                return o
            """;

    private static final String LINEAR = """
                return torch.linear(x, w, c)
            """;

    /** The pickled state: an object of the class {@code Attention} that is not training and has no hook. */
    private static final byte[] STATE = latin1("\u0080\u0002c__torch__\nAttention\nq\0)\u0081}("
            + "X\u0008\0\0\0trainingq\u0001\u0089X\u0016\0\0\0_is_full_backward_hookq\u0002Nubq\u0003.");

    /** The pickled constants: an empty tuple. */
    private static final byte[] CONSTANTS = latin1("\u0080\u0002).");

    private static final byte[] VERSION = latin1("10\n");

    private TorchModule() {}

    /**
     * The module.
     *
     * @param grouped whether there are fewer key/value heads than query heads: then they are repeated, as PyTorch's
     *     documentation has it, for on the CPU {@code enable_gqa=True} takes the slow path (3 times as slow)
     * @param masked whether {@code forward} takes a mask beside query, key and value
     */
    static byte[] scaledDotProductAttention(boolean grouped, boolean masked, boolean causal) {
        return scaledDotProductAttention(grouped, masked, causal, "None");
    }

    /** The same with a scale, a number, or the usual one, {@code None}. */
    static byte[] scaledDotProductAttention(boolean grouped, boolean masked, boolean causal, String scale) {
        String inputs = "q: Tensor, k: Tensor, v: Tensor" + (masked ? ", m: Tensor" : "");
        String attend = ATTEND.formatted(masked ? "m" : "None", causal ? "True" : "False", scale);
        return module(inputs, (grouped ? REPEAT : "") + attend);
    }

    /**
     * The gradients of a tensor that another module gave, by autograd.
     *
     * @return the bytes of a .pt file; {@code forward} takes that tensor, its gradient, and the {@code inputs} whose gradients it
     *     gives
     */
    static byte[] gradients(int inputs) {
        List<String> names = IntStream.range(0, inputs).mapToObj(n -> "x" + n).toList();
        String given = names.stream().map(name -> ", " + name + ": Tensor").collect(Collectors.joining());
        String taken = IntStream.range(0, inputs)
                .mapToObj(n -> "unchecked_cast(Tensor, r[" + n + "])")
                .collect(Collectors.joining(", "));
        String tensors = "Tensor, ".repeat(inputs - 1) + "Tensor";
        return module(
                "o: Tensor, g: Tensor" + given,
                "Tuple[" + tensors + "]",
                GRADIENTS.formatted(String.join(", ", names), taken));
    }

    /**
     * A self-attention layer by its steps: one projection into query, key and value, attention, one projection out.
     *
     * @return the bytes of a .pt file; {@code forward} takes input, in_proj_weight, in_proj_bias, out_proj.weight and
     *     out_proj.bias
     */
    static byte[] multiHeadAttention(int heads) {
        return module(LAYER_INPUTS, LAYER.formatted(heads));
    }

    /** The same by one operator, which {@code nn.MultiheadAttention} takes in inference where it can. */
    static byte[] nativeMultiHeadAttention(int heads) {
        return module(LAYER_INPUTS, NATIVE_LAYER.formatted(heads));
    }

    /** A projection; {@code forward} takes input, weight and bias. */
    static byte[] linear() {
        return module("x: Tensor, w: Tensor, c: Tensor", LINEAR);
    }

    /** A module of any code; {@code forward} gives one tensor. */
    public static byte[] module(String inputs, String body) {
        return module(inputs, "Tensor", body);
    }

    private static byte[] module(String inputs, String result, String body) {
        String code = CLASS.formatted(inputs, result) + body;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            add(zip, "data.pkl", STATE);
            add(zip, "code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
            add(zip, "constants.pkl", CONSTANTS);
            add(zip, "version", VERSION);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** Stored: PyTorch reads no compressed entries of its own archives. */
    private static void add(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry(NAME + "/" + name);
        CRC32 checksum = new CRC32();
        checksum.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(checksum.getValue());
        entry.setTime(0);
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    private static byte[] latin1(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
