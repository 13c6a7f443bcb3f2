package dev.attention4j.bench;

/**
 * Matrix products in double precision.
 *
 * @param weights [inputs, columns]
 * @param bias [columns]
 */
@SuppressWarnings("ArrayRecordComponent") // No caller compares two of them.
record DenseOracle(float[] weights, float[] bias) {
    /** One row's products with some of the columns. */
    double[] project(float[] input, int at, int inputs, int from, int to) {
        double[] row = new double[inputs];
        for (int k = 0; k < inputs; k++) {
            row[k] = input[at + k];
        }
        return project(row, from, to);
    }

    /** As above, of a row in double. */
    double[] project(double[] row, int from, int to) {
        double[] sums = new double[to - from];
        for (int n = from; n < to; n++) {
            sums[n - from] = bias[n];
        }
        for (int k = 0; k < row.length; k++) {
            int weight = k * bias.length + from;
            for (int n = 0; n < sums.length; n++) {
                sums[n] += row[k] * weights[weight + n];
            }
        }
        return sums;
    }
}
