package dev.attention4j.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Makes the bytes of safetensors files, right and wrong. */
public final class RawFile {
    private RawFile() {}

    public static byte[] bytes(String header, int dataBytes) {
        return bytes(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    public static byte[] bytes(byte[] header, int dataBytes) {
        return claiming(header.length, header, dataBytes);
    }

    public static byte[] claiming(long headerLength, byte[] header, int dataBytes) {
        ByteBuffer file = ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(headerLength).put(header);
        return file.array();
    }

    public static Path write(Path folder, byte[] bytes) throws IOException {
        return Files.write(folder.resolve("case.safetensors"), bytes);
    }
}
