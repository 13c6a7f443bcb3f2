package dev.attention4j.io;

import java.util.List;
import java.util.Map;

/**
 * The colours of attention weights, the same on a page and in a picture: from the background's for 0 to the strongest for the
 * head's largest weight. The colour depends on the square root of the weight, because most weights of a long text are small
 * and would all look like 0.
 */
public final class WeightColours {
    /** The background and the strongest colour on a light screen and in print; black text is readable on both. */
    private static final int[] LIGHT = {0xFFFFFF, 0xF58A1F};

    private static final int[] DARK = {0x16181C, 0xFFA24D};

    private static final double EXPONENT = 0.5;

    private WeightColours() {}

    /**
     * Returns the colour of a weight on a light background.
     *
     * @param weight 0 to {@code largest}
     * @param largest that of the head, above 0
     * @return red, green and blue of 8 bits each
     */
    public static int rgb(double weight, double largest) {
        double share = Math.pow(Math.max(0, Math.min(1, weight / largest)), EXPONENT);
        int rgb = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = LIGHT[0] >> shift & 0xFF;
            int to = LIGHT[1] >> shift & 0xFF;
            rgb |= (int) Math.round(from + share * (to - from)) << shift;
        }
        return rgb;
    }

    /** Returns the scale in the form that the page's script reads. */
    static Map<String, Object> scale() {
        return Map.of("exponent", EXPONENT, "light", hex(LIGHT), "dark", hex(DARK));
    }

    private static List<String> hex(int[] colours) {
        return List.of(String.format("#%06x", colours[0]), String.format("#%06x", colours[1]));
    }
}
