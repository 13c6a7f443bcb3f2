package dev.attention4j.io;

import dev.attention4j.Tensor;
import dev.attention4j.io.SafetensorsHeader.Entry;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;

/**
 * Reads and writes safetensors files: 8 bytes with the length of the header, a JSON header, then the tensors' elements,
 * little-endian, row-major, without gaps.
 *
 * <p>Files that the reference implementation refuses are refused here too (holes, overlaps, bytes after the last tensor, a
 * header above 100 MB). Element types are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL; a tensor must fit into a
 * host tensor (2 GiB less 129 bytes).
 */
public final class Safetensors {
    private static final int LENGTH_BYTES = 8;

    private Safetensors() {}

    /**
     * Reads a file.
     *
     * @param path a regular file
     * @return its tensors, in host memory, and its metadata
     * @throws FileFormatException if the file violates the format; says what was wrong and what was expected
     * @throws java.nio.file.NoSuchFileException if there is no such file
     * @throws IOException if it cannot be read
     */
    public static SafetensorsFile read(Path path) throws IOException {
        return read(path, name -> true);
    }

    /**
     * Reads some of a file's tensors, for example a layer of a model. The others may be of any size, and of types that this
     * library lacks: only their positions are checked.
     *
     * @param path a regular file
     * @param wanted true for the names of the tensors to read
     * @return those tensors, in host memory, the names of all, and the metadata
     * @throws FileFormatException if the file violates the format; says what was wrong and what was expected
     * @throws java.nio.file.NoSuchFileException if there is no such file
     * @throws IOException if it cannot be read
     */
    public static SafetensorsFile read(Path path, Predicate<String> wanted) throws IOException {
        String name = path.toString();
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new FileFormatException(name, "is a directory or a device, must be a regular file");
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            checkLengthBytes(name, size);
            int headerBytes = headerBytes(name, readFully(channel, ByteBuffer.allocate(LENGTH_BYTES), name));
            if (headerBytes > size - LENGTH_BYTES) {
                throw truncatedHeader(name, headerBytes, size - LENGTH_BYTES);
            }
            byte[] json =
                    readFully(channel, ByteBuffer.allocate(headerBytes), name).array();
            SafetensorsHeader header = SafetensorsHeader.read(json, name, wanted);
            checkDataBytes(name, header, size - LENGTH_BYTES - headerBytes);
            checkTensorSizes(name, header);
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (Entry entry : header.entries()) {
                if (!entry.isWanted()) {
                    continue;
                }
                channel.position(LENGTH_BYTES + headerBytes + entry.begin());
                Tensor tensor = Tensor.zeros(entry.dtype(), entry.shape());
                readFully(channel, tensor.bytes(), name);
                tensors.put(entry.name(), fromLittleEndian(tensor));
            }
            return new SafetensorsFile(name, header.names(), tensors, header.metadata());
        }
    }

    /**
     * Reads a stream to its end, for resources in a jar. It takes memory in proportion to the bytes really read.
     *
     * @param in is not closed
     * @param name its name in messages
     * @return its tensors, in host memory, and its metadata
     * @throws FileFormatException if it violates the format; says what was wrong and what was expected
     * @throws IOException if it cannot be read
     */
    public static SafetensorsFile read(InputStream in, String name) throws IOException {
        byte[] length = in.readNBytes(LENGTH_BYTES);
        checkLengthBytes(name, length.length);
        int headerBytes = headerBytes(name, ByteBuffer.wrap(length));
        byte[] json = in.readNBytes(headerBytes);
        if (json.length < headerBytes) {
            throw truncatedHeader(name, headerBytes, json.length);
        }
        SafetensorsHeader header = SafetensorsHeader.read(json, name, any -> true);
        checkTensorSizes(name, header);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (Entry entry : header.entries()) {
            // The elements are first read on the heap, in pieces: a tensor is made only of bytes that are really there.
            byte[] elements = in.readNBytes((int) entry.bytes());
            if (elements.length < entry.bytes()) {
                checkDataBytes(name, header, entry.begin() + elements.length);
            }
            Tensor tensor = Tensor.zeros(entry.dtype(), entry.shape());
            tensor.bytes().put(elements);
            tensors.put(entry.name(), fromLittleEndian(tensor));
        }
        if (in.read() >= 0) {
            throw new FileFormatException(
                    name, "goes on after its last tensor, must end there (" + header.dataBytes() + " bytes of data)");
        }
        return new SafetensorsFile(name, header.names(), tensors, header.metadata());
    }

    /**
     * Writes a file in the order of the reference implementation: larger elements first, then by name. The file appears whole
     * or not at all; an existing one is replaced.
     *
     * @param path the file to write
     * @param tensors by name; views are written row-major, tensors on a device are downloaded
     * @param metadata named strings
     * @throws IllegalArgumentException if a name is {@code __metadata__}, or a text is not valid Unicode
     * @throws IllegalStateException if a tensor is closed
     * @throws IOException if it cannot be written
     */
    public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        Objects.requireNonNull(path, "path");
        Objects.requireNonNull(tensors, "tensors");
        Objects.requireNonNull(metadata, "metadata");
        SafetensorsWriter.write(path, tensors, metadata);
    }

    private static void checkLengthBytes(String name, long size) throws FileFormatException {
        if (size < LENGTH_BYTES) {
            throw new FileFormatException(
                    name, "has " + size + " bytes, must begin with 8 bytes that give the header's length");
        }
    }

    /** Reads the header's length; nothing is allocated yet. */
    private static int headerBytes(String name, ByteBuffer length) throws FileFormatException {
        long bytes = length.order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        if (Long.compareUnsigned(bytes, SafetensorsHeader.MAX_BYTES) > 0) {
            throw new FileFormatException(
                    name,
                    "the header's length is " + Long.toUnsignedString(bytes) + " bytes, must be at most "
                            + SafetensorsHeader.MAX_BYTES + "; is this a safetensors file?");
        }
        if (bytes < 2) {
            throw new FileFormatException(name, "the header's length is " + bytes + " bytes, must be at least 2 ({})");
        }
        return (int) bytes;
    }

    private static FileFormatException truncatedHeader(String name, int claimed, long there) {
        return new FileFormatException(
                name,
                "is truncated or no safetensors file: the header's length is " + claimed + " bytes, but only " + there
                        + " follow");
    }

    private static void checkDataBytes(String name, SafetensorsHeader header, long there) throws FileFormatException {
        long needed = header.dataBytes();
        if (there < needed) {
            throw new FileFormatException(
                    name, "is truncated: has " + there + " bytes of data, must have " + needed + " by its header");
        }
        if (there > needed) {
            throw new FileFormatException(
                    name, "has " + there + " bytes of data, must end with its last tensor after " + needed + " bytes");
        }
    }

    private static void checkTensorSizes(String name, SafetensorsHeader header) throws FileFormatException {
        for (Entry entry : header.entries()) {
            if (entry.isWanted() && entry.bytes() > SafetensorsHeader.MAX_TENSOR_BYTES) {
                throw new FileFormatException(
                        name,
                        "tensor " + FileFormatException.quoted(entry.name()) + " has " + entry.bytes()
                                + " bytes, must have at most " + SafetensorsHeader.MAX_TENSOR_BYTES
                                + " to fit into a host tensor: split it into several");
            }
        }
    }

    private static ByteBuffer readFully(FileChannel channel, ByteBuffer target, String name) throws IOException {
        while (target.hasRemaining()) {
            if (channel.read(target) < 0) {
                throw new FileFormatException(name, "became shorter while it was read");
            }
        }
        return target;
    }

    private static Tensor fromLittleEndian(Tensor tensor) {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            swap(tensor.bytes(), tensor.dtype().bytes());
        }
        return tensor;
    }

    /** Reverses the bytes of each element, in place. */
    static void swap(ByteBuffer bytes, int elementBytes) {
        for (int start = 0; start < bytes.limit(); start += elementBytes) {
            for (int low = start, high = start + elementBytes - 1; low < high; low++, high--) {
                byte kept = bytes.get(low);
                bytes.put(low, bytes.get(high));
                bytes.put(high, kept);
            }
        }
    }
}
