package dev.attention4j;

import java.nio.ByteBuffer;

/**
 * The two storages of small integers, {@link DType#Q8_0} and {@link DType#Q4_0}: groups of 32 elements of a row, each with a
 * float16 scale. Memory holds first the integers of all groups, then their scales. A row's last group is filled up with zeros.
 * For those who write engines.
 *
 * <p>Q8_0: scale d = largest magnitude / 127, integer = x / d rounded, halves away from zero, in a byte. Q4_0: d = the element
 * of largest magnitude / −8, integer = min(15, ⌊x / d + 8.5⌋), value = (integer − 8) · d. The 16 bytes of a group have elements
 * 0 to 15 in their low halves and 16 to 31 in their high ones, so that as many neighbours as a vector holds are neighbours in
 * memory too. x / d is x · (1 / d) with both operations rounded to float, and d before it is rounded to float16.
 *
 * <p>A group whose scale rounds to 0, with no magnitude above some 2⁻¹⁸ (2⁻²²), is all 0. A group with NaN or infinity is all NaN. A
 * scale may round to infinity, where magnitudes are above 8,320,000 (524,000): then what is not 0 becomes infinite, or NaN.
 */
public final class Quantization {
    /** Elements that share a scale. */
    public static final int GROUP = 32;

    private static final int HALF_GROUP = GROUP / 2;
    private static final short NAN = 0x7E00;
    private static final int MAGNITUDE = 0x7FFF;

    /** The integer of a Q4_0 element that is 0. */
    private static final int MIDDLE = 8;

    private Quantization() {}

    /**
     * Reads elements.
     *
     * @param integers a tensor's memory, from an element that is a multiple of 32
     * @param scales their scales
     * @param first the first element's number from there
     * @param target gets {@code count} elements
     */
    public static void read(DType dtype, ByteBuffer integers, ByteBuffer scales, int first, int count, float[] target) {
        float scale = 0;
        for (int n = 0; n < count; n++) {
            int at = first + n;
            if (n == 0 || at % GROUP == 0) {
                scale = Float16.toFloat(scales.getShort(Short.BYTES * (at / GROUP)));
            }
            // Adding 0 turns -0 into 0.
            target[n] = integer(dtype, integers, at) * scale + 0.0f;
        }
    }

    private static int integer(DType dtype, ByteBuffer integers, int at) {
        if (dtype == DType.Q8_0) {
            return integers.get(at);
        }
        int pair = integers.get(at / GROUP * HALF_GROUP + at % HALF_GROUP);
        return (at % GROUP < HALF_GROUP ? pair & 15 : pair >> 4 & 15) - MIDDLE;
    }

    /**
     * Writes a group.
     *
     * @param elements the group's, of which those from {@code count} on are taken to be 0
     * @param group its number in the memory
     */
    static void write(DType dtype, float[] elements, int count, ByteBuffer integers, ByteBuffer scales, int group) {
        float extreme = 0;
        boolean finite = true;
        for (int n = 0; n < count; n++) {
            finite &= Float.isFinite(elements[n]);
            extreme = Math.abs(elements[n]) > Math.abs(extreme) ? elements[n] : extreme;
        }
        float scale = dtype == DType.Q8_0 ? Math.abs(extreme) / 127 : extreme / -8;
        short stored = Float16.fromFloat(scale);
        boolean empty = !finite || (stored & MAGNITUDE) == 0;
        scales.putShort(Short.BYTES * group, !finite ? NAN : empty ? 0 : stored);
        float inverse = empty ? 0 : 1 / scale;
        for (int n = 0; n < (dtype == DType.Q8_0 ? GROUP : HALF_GROUP); n++) {
            if (dtype == DType.Q8_0) {
                integers.put(group * GROUP + n, (byte) nearest(element(elements, count, n, empty) * inverse));
            } else {
                int low = ofFour(element(elements, count, n, empty) * inverse);
                int high = ofFour(element(elements, count, n + HALF_GROUP, empty) * inverse);
                integers.put(group * HALF_GROUP + n, (byte) (low | high << 4));
            }
        }
    }

    private static float element(float[] elements, int count, int n, boolean empty) {
        return empty || n >= count ? 0 : elements[n];
    }

    /** Rounds to the nearest integer, halves away from zero. */
    private static int nearest(float number) {
        int magnitude = (int) (Math.abs((double) number) + 0.5);
        return number < 0 ? -magnitude : magnitude;
    }

    private static int ofFour(float number) {
        return Math.min(15, (int) (number + 8.5f));
    }
}
