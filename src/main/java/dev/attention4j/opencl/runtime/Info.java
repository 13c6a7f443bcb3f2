package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jocl.Pointer;

/**
 * What a driver answers to a {@code clGet…Info}, taken in memory outside of the heap: under {@code -Xcheck:jni} JOCL loses
 * what a driver writes to an array.
 */
final class Info {
    /** More than one such answer is damage: of a program whose build never began PoCL 3.1 gives any size. */
    private static final long MOST_BYTES = 64L << 20;

    private static final ThreadLocal<ByteBuffer> NUMBER =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()));

    private Info() {}

    /** A {@code clGet…Info} of an object and a parameter. */
    interface Question {
        /**
         * Asks.
         *
         * @param bytes that may be written
         * @param answer to be written; null for none
         * @param size to be written, the bytes of the answer; null for none
         * @return the code
         */
        int ask(long bytes, Pointer answer, long[] size);
    }

    /**
     * Asks for a number.
     *
     * @param call its name, for an error
     * @param bytes 4 or 8; of 4, it has no sign
     * @param question is asked once
     */
    static long number(String call, int bytes, Question question) {
        ByteBuffer number = NUMBER.get();
        number.putLong(0, 0);
        ClException.run(call, () -> question.ask(bytes, Pointer.to(number), null));
        return bytes == 4 ? Integer.toUnsignedLong(number.getInt(0)) : number.getLong(0);
    }

    /** Asks for bytes, after their number; empty if the driver gives no, or no possible, number. */
    static byte[] bytes(String call, Question question) {
        long[] size = new long[1];
        ClException.run(call, () -> question.ask(0, null, size));
        if (size[0] <= 0 || size[0] > MOST_BYTES) {
            return new byte[0];
        }
        ByteBuffer answer = ByteBuffer.allocateDirect((int) size[0]);
        ClException.run(call, () -> question.ask(answer.capacity(), Pointer.to(answer), null));
        return array(answer);
    }

    /** A copy on the heap. */
    static byte[] array(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.capacity()];
        bytes.duplicate().clear().get(copy);
        return copy;
    }
}
