package dev.attention4j.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.attention4j.Tensor;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lays out and writes one file. */
final class SafetensorsWriter {
    private static final Logger LOG = LoggerFactory.getLogger(SafetensorsWriter.class);
    private static final JsonFactory JSON = new JsonFactory();
    private static final int ALIGNMENT = 8;

    private SafetensorsWriter() {}

    static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        Map<String, Tensor> ordered = inOrder(tensors);
        byte[] header = header(ordered, metadata);
        Path target = followed(path);
        if (!Files.isDirectory(target.resolveSibling(""))) {
            throw new FileSystemException(path.toString(), null, "must be in a directory that exists");
        }
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new FileSystemException(
                    path.toString(),
                    null,
                    "must be a file, which a new one takes the place of; not a directory or device");
        }
        Path part = target.resolveSibling(".attention4j-" + UUID.randomUUID() + ".part");
        try {
            try (FileChannel channel =
                    FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                writeFully(channel, length.putLong(0, header.length));
                writeFully(channel, ByteBuffer.wrap(header));
                for (Tensor tensor : ordered.values()) {
                    writeFully(channel, littleEndian(tensor));
                }
                channel.force(true);
            }
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            // The caller does not know of the temporary file.
            String reason = e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
            FileSystemException named = new FileSystemException(path.toString(), null, "cannot be written: " + reason);
            named.initCause(e);
            throw named;
        } finally {
            delete(part);
        }
    }

    /** Follows a link, so that its target is written, whether it exists or not, and the link is kept. */
    private static Path followed(Path path) throws IOException {
        if (!Files.isSymbolicLink(path)) {
            return path.toAbsolutePath();
        }
        return Files.exists(path)
                ? path.toRealPath()
                : path.toAbsolutePath().resolveSibling(Files.readSymbolicLink(path));
    }

    /** Ignores errors: the error before says more. */
    private static void delete(Path part) {
        try {
            Files.deleteIfExists(part);
        } catch (IOException e) {
            LOG.debug("{} stays", part, e);
        }
    }

    private static Map<String, Tensor> inOrder(Map<String, Tensor> tensors) {
        List<Map.Entry<String, Tensor>> entries = new ArrayList<>(tensors.entrySet());
        for (Map.Entry<String, Tensor> entry : entries) {
            check(entry.getKey(), entry.getValue());
        }
        entries.sort(Comparator.<Map.Entry<String, Tensor>>comparingInt(
                        entry -> SafetensorsHeader.writingOrder(entry.getValue().dtype()))
                .thenComparing(Map.Entry::getKey));
        Map<String, Tensor> ordered = new LinkedHashMap<>();
        entries.forEach(entry -> ordered.put(entry.getKey(), entry.getValue()));
        return ordered;
    }

    private static void check(String name, Tensor tensor) {
        Objects.requireNonNull(name, "tensors: a name is null");
        Objects.requireNonNull(tensor, () -> "tensors: \"" + name + "\" is null");
        if (tensor.dtype().isQuantized()) {
            throw new IllegalArgumentException("tensors: \"" + name + "\" is " + tensor.dtype() + ", must be one of "
                    + SafetensorsHeader.dtypeNames() + ", which a file holds (Tensor.to converts)");
        }
        if (name.equals(SafetensorsHeader.METADATA)) {
            throw new IllegalArgumentException(
                    "tensors: a tensor is named __metadata__, which the format keeps for the metadata");
        }
        if (tensor.isClosed()) {
            throw new IllegalStateException("tensors: \"" + name + "\" is closed, must be open");
        }
        if (tensor.rank() > SafetensorsHeader.MAX_AXES) {
            throw new IllegalArgumentException("tensors: \"" + name + "\" has " + tensor.rank()
                    + " axes, must have at most " + SafetensorsHeader.MAX_AXES);
        }
    }

    /** The header's JSON, padded with spaces so that the data begins at a multiple of 8 bytes. */
    private static byte[] header(Map<String, Tensor> ordered, Map<String, String> metadata) throws IOException {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(SafetensorsHeader.METADATA);
                for (Map.Entry<String, String> entry : metadata.entrySet()) {
                    json.writeStringField(
                            Objects.requireNonNull(entry.getKey(), "metadata: a name is null"),
                            Objects.requireNonNull(
                                    entry.getValue(), () -> "metadata: \"" + entry.getKey() + "\" is null"));
                }
                json.writeEndObject();
            }
            long begin = 0;
            for (Map.Entry<String, Tensor> entry : ordered.entrySet()) {
                begin = writeEntry(json, entry.getKey(), entry.getValue(), begin);
            }
            json.writeEndObject();
        }
        byte[] unpadded = utf8(text.toString());
        int padded = Math.addExact(unpadded.length, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (padded > SafetensorsHeader.MAX_BYTES) {
            throw new IllegalArgumentException("tensors, metadata: names and texts take " + padded
                    + " bytes, must take at most " + SafetensorsHeader.MAX_BYTES);
        }
        byte[] header = Arrays.copyOf(unpadded, padded);
        Arrays.fill(header, unpadded.length, padded, (byte) ' ');
        return header;
    }

    private static long writeEntry(JsonGenerator json, String name, Tensor tensor, long begin) throws IOException {
        long end = Math.addExact(begin, byteCount(name, tensor));
        long[] shape = tensor.shape();
        json.writeObjectFieldStart(name);
        json.writeStringField("dtype", SafetensorsHeader.dtypeName(tensor.dtype()));
        json.writeFieldName("shape");
        json.writeArray(shape, 0, shape.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {begin, end}, 0, 2);
        json.writeEndObject();
        return end;
    }

    private static long byteCount(String name, Tensor tensor) {
        try {
            return SafetensorsHeader.byteCount(tensor.dtype(), tensor.shape());
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(
                    "tensors: \"" + name + "\" has shape " + Arrays.toString(tensor.shape())
                            + ", whose axes multiplied must stay below 2^63 bytes",
                    e);
        }
    }

    private static byte[] utf8(String text) {
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] exact = new byte[bytes.remaining()];
            bytes.get(exact);
            return exact;
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(
                    "tensors, metadata: a name or text has half of a surrogate pair, must be valid Unicode", e);
        }
    }

    private static ByteBuffer littleEndian(Tensor tensor) {
        if (ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN) {
            // Downloaded from a device, or copied from a view, only if needed.
            return tensor.isOnHost() && tensor.isContiguous()
                    ? tensor.bytes()
                    : tensor.contiguous().bytes();
        }
        Tensor source = tensor.contiguous();
        Tensor copy = Tensor.zeros(source.dtype(), source.shape());
        copy.bytes().put(source.bytes());
        Safetensors.swap(copy.bytes(), copy.dtype().bytes());
        return copy.bytes();
    }

    private static void writeFully(FileChannel channel, ByteBuffer source) throws IOException {
        while (source.hasRemaining()) {
            channel.write(source);
        }
    }
}
