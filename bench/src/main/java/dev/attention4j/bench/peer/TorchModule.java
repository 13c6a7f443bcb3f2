package dev.attention4j.bench.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript module without parameters whose {@code forward} is one call of {@code
 * scaled_dot_product_attention}: a zip of its code, its pickled (empty) state and its constants (none), as {@code
 * torch.jit.save} makes it.
 */
final class TorchModule {
    private static final String NAME = "attention";

    private static final String CODE =
            """
            class Attention(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              _is_full_backward_hook : Optional[bool]
              def forward(self: __torch__.Attention, q: Tensor, k: Tensor, v: Tensor%s) -> Tensor:
            %s    return torch.scaled_dot_product_attention(q, k, v, %s, 0., %s)
            """;

    private static final String REPEAT =
            """
                n = torch.floordiv(torch.size(q, 1), torch.size(k, 1))
                k = torch.repeat_interleave(k, n, 1)
                v = torch.repeat_interleave(v, n, 1)
            """;

    /** The pickled state: an object of the class {@code Attention} that is not training and has no hook. */
    private static final byte[] STATE = latin1("\u0080\u0002c__torch__\nAttention\nq\0)\u0081}("
            + "X\u0008\0\0\0trainingq\u0001\u0089X\u0016\0\0\0_is_full_backward_hookq\u0002Nubq\u0003.");

    /** The pickled constants: an empty tuple. */
    private static final byte[] CONSTANTS = latin1("\u0080\u0002).");

    private static final byte[] VERSION = latin1("3\n");

    private TorchModule() {}

    /**
     * The module.
     *
     * @param grouped whether there are fewer key/value heads than query heads: then they are repeated, as PyTorch's
     *     documentation has it, for on the CPU {@code enable_gqa=True} takes the slow path (3 times as slow)
     * @param masked whether {@code forward} takes a mask beside query, key and value
     * @param causal its {@code is_causal}
     * @return the bytes of a .pt file
     */
    static byte[] scaledDotProductAttention(boolean grouped, boolean masked, boolean causal) {
        String code = CODE.formatted(
                masked ? ", m: Tensor" : "", grouped ? REPEAT : "", masked ? "m" : "None", causal ? "True" : "False");
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
