package dev.attention4j.cli.minilm;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Reads the fields of a message in Protocol Buffers' wire format, one after another, without copying them. */
final class ProtoReader {
    private static final int VARINT = 0;
    private static final int EIGHT_BYTES = 1;
    private static final int BYTES = 2;
    private static final int FOUR_BYTES = 5;
    private static final int VARINT_BITS = 63;

    private final ByteBuffer message;
    private int field;
    private long number;
    private ByteBuffer bytes;

    /** A reader of a message that lies between the buffer's position and its limit. */
    ProtoReader(ByteBuffer message) {
        this.message = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Goes to the next field; false at the message's end.
     *
     * @throws IOException if the message is damaged
     */
    boolean next() throws IOException {
        if (!message.hasRemaining()) {
            return false;
        }
        try {
            long tag = varint();
            field = (int) (tag >>> 3);
            bytes = null;
            switch ((int) (tag & 7)) {
                case VARINT -> number = varint();
                case EIGHT_BYTES -> number = message.getLong();
                case FOUR_BYTES -> number = message.getInt();
                case BYTES -> bytes = take(varint());
                default -> throw new IOException("the file is damaged: a field of unknown type " + (tag & 7));
            }
            return true;
        } catch (BufferUnderflowException e) {
            throw new IOException("the file is damaged: it ends within a field", e);
        }
    }

    /** Returns the field's number. */
    int field() {
        return field;
    }

    /** Returns the field's value where it is a number. */
    long number() {
        return number;
    }

    /** Returns the field's value where it is bytes, a text or a message; empty where it is a number. */
    ByteBuffer bytes() {
        return bytes == null ? ByteBuffer.allocate(0) : bytes;
    }

    /** Returns the field's value as a text. */
    String text() {
        return StandardCharsets.UTF_8.decode(bytes().duplicate()).toString();
    }

    /** Returns a number of a packed list, and goes on to the next of it. */
    static long packed(ByteBuffer list) throws IOException {
        try {
            return new ProtoReader(list).varintOf(list);
        } catch (BufferUnderflowException e) {
            throw new IOException("the file is damaged: a list ends within a number", e);
        }
    }

    private long varintOf(ByteBuffer list) throws IOException {
        long value = varint();
        list.position(message.position());
        return value;
    }

    private long varint() throws IOException {
        long value = 0;
        for (int shift = 0; shift <= VARINT_BITS; shift += 7) {
            byte part = message.get();
            value |= (long) (part & 0x7F) << shift;
            if (part >= 0) {
                return value;
            }
        }
        throw new IOException("the file is damaged: a number of more than 10 bytes");
    }

    private ByteBuffer take(long length) throws IOException {
        if (length < 0 || length > message.remaining()) {
            throw new IOException(
                    "the file is damaged: a field of " + length + " bytes, " + message.remaining() + " are left");
        }
        ByteBuffer taken = message.slice(message.position(), (int) length);
        message.position(message.position() + (int) length);
        return taken;
    }
}
