package dev.attention4j.onnx;

import java.util.Arrays;

/** The step after which the scores are returned: the attribute {@code qk_matmul_output_mode}. */
public enum QkMatmulOutput {
    /** Mode 0: scale · query · key. */
    SCORES,
    /** Mode 1: after softcap; the scores themselves where there is none. */
    SOFTCAPPED,
    /** Mode 2: after softcap, bias and masks; −∞ where a query may not attend. */
    MASKED,
    /** Mode 3: after the softmax, the weights; 0 in a row with no key to attend to. */
    WEIGHTS;

    /**
     * Returns the constant of the attribute's number.
     *
     * @throws IllegalArgumentException unless it is 0 to 3
     */
    public static QkMatmulOutput of(int mode) {
        if (mode < 0 || mode >= values().length) {
            throw new IllegalArgumentException("qkMatmulOutputMode: " + mode + ", must be 0 to " + (values().length - 1)
                    + " for " + Arrays.toString(values()));
        }
        return values()[mode];
    }
}
