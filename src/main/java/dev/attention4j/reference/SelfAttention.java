package dev.attention4j.reference;

/**
 * Self-attention as the textbook has it: makes each token's vector aware of its context.
 *
 * <p>For each token (the pivot): its dot product with every token says how much that one matters to it; divided by the
 * square root of the width and put through a softmax, these scores become weights; the pivot's new vector is the sum of
 * all tokens' vectors by those weights. After the function {@code self_attention} in François Chollet, "Deep Learning
 * with Python", 2nd edition, chapter 11.
 */
public final class SelfAttention {
    private SelfAttention() {}

    /**
     * Computes the new vector of each token.
     *
     * @param inputSequence [length][width], a vector for each token; may be empty
     * @return [length][width]
     * @throws IllegalArgumentException if the vectors are not all of one width
     */
    public static double[][] selfAttention(double[][] inputSequence) {
        double[][] scores = weights(inputSequence);
        int length = inputSequence.length;
        double[][] output = new double[length][];
        for (int i = 0; i < length; i++) {
            double[] newPivotRepresentation = new double[inputSequence[i].length];
            for (int j = 0; j < length; j++) {
                for (int d = 0; d < newPivotRepresentation.length; d++) {
                    newPivotRepresentation[d] += inputSequence[j][d] * scores[i][j];
                }
            }
            output[i] = newPivotRepresentation;
        }
        return output;
    }

    /**
     * Computes the weight that each token gives to each.
     *
     * @param inputSequence [length][width], a vector for each token; may be empty
     * @return [length][length], each row sums to 1
     * @throws IllegalArgumentException if the vectors are not all of one width
     */
    public static double[][] weights(double[][] inputSequence) {
        int length = inputSequence.length;
        double[][] weights = new double[length][length];
        for (int i = 0; i < length; i++) {
            double[] pivotVector = inputSequence[i];
            if (pivotVector.length == 0 || pivotVector.length != inputSequence[0].length) {
                throw new IllegalArgumentException("inputSequence: vector " + i + " is " + pivotVector.length
                        + " wide, must be as wide as the first (" + inputSequence[0].length + ") and at least 1");
            }
            for (int j = 0; j < length; j++) {
                weights[i][j] = dot(pivotVector, inputSequence[j]) / Math.sqrt(pivotVector.length);
            }
            softmax(weights[i]);
        }
        return weights;
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int d = 0; d < Math.min(a.length, b.length); d++) {
            sum += a[d] * b[d];
        }
        return sum;
    }

    /** Replaces scores by weights. The largest score is subtracted first, which keeps exp within range and changes nothing else. */
    private static void softmax(double[] scores) {
        double max = Double.NEGATIVE_INFINITY;
        for (double score : scores) {
            max = Math.max(max, score);
        }
        double sum = 0;
        for (int j = 0; j < scores.length; j++) {
            scores[j] = Math.exp(scores[j] - max);
            sum += scores[j];
        }
        for (int j = 0; j < scores.length; j++) {
            scores[j] /= sum;
        }
    }
}
