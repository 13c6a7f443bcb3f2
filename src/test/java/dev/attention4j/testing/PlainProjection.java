package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Tensor;

/** Projections in plain loops, once in double and once in float: what is right, and how far off plain code is. */
public final class PlainProjection {
    private final double[] oracle;
    private final float[] plain;
    private final long[] shape;

    /**
     * Computes one.
     *
     * @param input [batch, inputHeads, length, inputWidth]
     * @param gate as input, or null
     * @param kernel [inputHeads · inputWidth, heads, width]
     * @param bias [heads, width], or null
     */
    public PlainProjection(Tensor input, Tensor gate, Tensor kernel, Tensor bias) {
        int batch = (int) input.size(0);
        int length = (int) input.size(2);
        int inputWidth = (int) input.size(3);
        int inputs = (int) kernel.size(0);
        int heads = (int) kernel.size(1);
        int width = (int) kernel.size(2);
        shape = new long[] {batch, heads, length, width};
        oracle = new double[batch * heads * length * width];
        plain = new float[oracle.length];
        int n = 0;
        for (int b = 0; b < batch; b++) {
            for (int head = 0; head < heads; head++) {
                for (int at = 0; at < length; at++) {
                    for (int w = 0; w < width; w++) {
                        double sum = bias == null ? 0 : bias.get(head, w);
                        float plainSum = (float) sum;
                        for (int k = 0; k < inputs; k++) {
                            double element = input.get(b, k / inputWidth, at, k % inputWidth);
                            float plainElement = (float) element;
                            if (gate != null) {
                                double logit = gate.get(b, k / inputWidth, at, k % inputWidth);
                                element /= 1 + Math.exp(-logit);
                                plainElement /= 1 + (float) Math.exp(-(float) logit);
                            }
                            double weight = kernel.get(k, head, w);
                            sum += element * weight;
                            plainSum += plainElement * (float) weight;
                        }
                        oracle[n] = sum;
                        plain[n++] = plainSum;
                    }
                }
            }
        }
    }

    /**
     * Checks a result by the rule of {@link YardstickCheck}.
     *
     * @param where names it in failures
     * @param got [batch, heads, length, width]
     */
    public void check(String where, Tensor got) {
        assertThat(got.shape()).as(where).isEqualTo(shape);
        YardstickCheck.compare(where, got, oracle, plain);
    }
}
