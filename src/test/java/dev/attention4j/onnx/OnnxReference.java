package dev.attention4j.onnx;

import dev.attention4j.DType;
import dev.attention4j.Tensor;

/**
 * The operator as the standard's function has it, in double, with the whole bias in memory and no use of the library's
 * options: what {@link OnnxAttention} is checked against.
 */
final class OnnxReference {
    private final OnnxAttention node;
    private final double[] query;
    private final double[] key;
    private final double[] value;
    private final double[] bias;
    final int batch;
    final int queryHeads;
    final int keyValueHeads;
    final int queryLength;
    final int totalLength;
    final int headDim;
    final int valueDim;

    OnnxReference(OnnxAttention node, OnnxAttentionInputs inputs) {
        this.node = node;
        Tensor q = fourAxes(inputs.query(), node.attributes.qNumHeads);
        Tensor k = fourAxes(inputs.key(), node.attributes.kvNumHeads);
        Tensor v = fourAxes(inputs.value(), node.attributes.kvNumHeads);
        batch = (int) q.size(0);
        queryHeads = (int) q.size(1);
        keyValueHeads = (int) k.size(1);
        queryLength = (int) q.size(2);
        headDim = (int) q.size(3);
        valueDim = (int) v.size(3);
        int past = inputs.pastKey().map(tensor -> (int) tensor.size(2)).orElse(0);
        totalLength = past + (int) k.size(2);
        query = q.toDoubleArray();
        key = inputs.pastKey().map(tensor -> joined(tensor, k)).orElseGet(k::toDoubleArray);
        value = inputs.pastValue().map(tensor -> joined(tensor, v)).orElseGet(v::toDoubleArray);
        bias = bias(inputs, past);
    }

    double[] presentKey() {
        return key;
    }

    double[] presentValue() {
        return value;
    }

    /** [batch, queryHeads, queryLength, totalLength]. */
    double[] qkMatmulOutput(QkMatmulOutput mode) {
        double scale = node.attributes.scale.orElse(1 / Math.sqrt(headDim));
        double[] scores = new double[batch * queryHeads * queryLength * totalLength];
        for (int n = 0; n < scores.length; n++) {
            int j = n % totalLength;
            int row = n / totalLength;
            int slice = slice(row);
            double dot = 0;
            for (int d = 0; d < headDim; d++) {
                dot += query[row * headDim + d] * key[(slice * totalLength + j) * headDim + d];
            }
            double score = scale * dot;
            if (mode != QkMatmulOutput.SCORES && node.attributes.softcap.isPresent()) {
                score = Math.tanh(score / node.attributes.softcap.getAsDouble())
                        * node.attributes.softcap.getAsDouble();
            }
            boolean masked = mode == QkMatmulOutput.MASKED || mode == QkMatmulOutput.WEIGHTS;
            scores[n] = masked ? score + bias[n] : score;
        }
        if (mode == QkMatmulOutput.WEIGHTS) {
            for (int row = 0; row < batch * queryHeads * queryLength; row++) {
                softmax(scores, row * totalLength);
            }
        }
        return scores;
    }

    /** [batch, queryHeads, queryLength, valueDim], or [batch, queryLength, queryHeads · valueDim]. */
    double[] output(int rank) {
        double[] weights = qkMatmulOutput(QkMatmulOutput.WEIGHTS);
        double[] output = new double[batch * queryHeads * queryLength * valueDim];
        for (int n = 0; n < output.length; n++) {
            int row = n / valueDim;
            int head = row / queryLength % queryHeads;
            int at = rank == 4
                    ? n
                    : ((row / queryLength / queryHeads * queryLength + row % queryLength) * queryHeads + head)
                                    * valueDim
                            + n % valueDim;
            for (int j = 0; j < totalLength; j++) {
                output[at] += weights[row * totalLength + j]
                        * value[(slice(row) * totalLength + j) * valueDim + n % valueDim];
            }
        }
        return output;
    }

    /** The key/value head of a row of the scores. */
    private int slice(int row) {
        int head = row / queryLength % queryHeads;
        return row / queryLength / queryHeads * keyValueHeads + head / (queryHeads / keyValueHeads);
    }

    private void softmax(double[] scores, int from) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < totalLength; j++) {
            max = Math.max(max, scores[from + j]);
        }
        double sum = 0;
        for (int j = 0; j < totalLength; j++) {
            // A row that is masked whole gives zeros.
            scores[from + j] = max == Double.NEGATIVE_INFINITY ? 0 : Math.exp(scores[from + j] - max);
            sum += scores[from + j];
        }
        for (int j = 0; j < totalLength && sum > 0; j++) {
            scores[from + j] /= sum;
        }
    }

    private double[] bias(OnnxAttentionInputs inputs, int past) {
        double[] lengths = inputs.nonpadKvSeqlen().map(Tensor::toDoubleArray).orElse(null);
        double[] all = new double[batch * queryHeads * queryLength * totalLength];
        for (int n = 0; n < all.length; n++) {
            int j = n % totalLength;
            int i = n / totalLength % queryLength;
            int b = n / totalLength / queryLength / queryHeads;
            int position = i + (lengths == null ? past : (int) lengths[b] - queryLength);
            boolean seen = (!node.attributes.causal || j <= position)
                    && (node.attributes.leftWindowSize < 0 || j >= position - node.attributes.leftWindowSize)
                    && (node.attributes.rightWindowSize < 0 || j <= position + node.attributes.rightWindowSize)
                    && (lengths == null || j < lengths[b]);
            long[] index = {b, n / totalLength / queryLength % queryHeads, i, j};
            all[n] = seen ? inputs.attnMask().map(mask -> addend(mask, index)).orElse(0.0) : Double.NEGATIVE_INFINITY;
        }
        return all;
    }

    private static double addend(Tensor mask, long... index) {
        long[] at = new long[mask.rank()];
        for (int axis = 1; axis <= at.length; axis++) {
            long whole = index[4 - axis];
            if (axis == 1 && whole >= mask.size(-1)) {
                return Double.NEGATIVE_INFINITY;
            }
            at[at.length - axis] = mask.size(-axis) == 1 ? 0 : whole;
        }
        double element = mask.get(at);
        return mask.dtype() != DType.BOOL ? element : element != 0 ? 0 : Double.NEGATIVE_INFINITY;
    }

    private static Tensor fourAxes(Tensor tensor, int heads) {
        return tensor.rank() == 4
                ? tensor
                : tensor.contiguous()
                        .reshape(tensor.size(0), tensor.size(1), heads, tensor.size(2) / heads)
                        .permute(0, 2, 1, 3);
    }

    private static double[] joined(Tensor past, Tensor added) {
        long[] shape = past.shape();
        int total = (int) (past.size(2) + added.size(2));
        double[] joined = new double[(int) (shape[0] * shape[1] * total * shape[3])];
        for (int n = 0; n < joined.length; n++) {
            long d = n % shape[3];
            long j = n / shape[3] % total;
            long h = n / shape[3] / total % shape[1];
            long b = n / shape[3] / total / shape[1];
            joined[n] = j < past.size(2) ? past.get(b, h, j, d) : added.get(b, h, j - past.size(2), d);
        }
        return joined;
    }
}
