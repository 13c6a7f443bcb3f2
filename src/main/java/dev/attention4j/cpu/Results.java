package dev.attention4j.cpu;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Float16;
import dev.attention4j.Tensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;

/** The result tensors of a call. Many threads write to them, each row by one thread. */
final class Results {
    private final AttentionProblem problem;
    private final Tensor output;
    private final Tensor weights;
    private final Tensor logSumExp;
    private final ByteBuffer outputBytes;
    private final FloatBuffer outputFloats;
    private final FloatBuffer weightsFloats;
    private final FloatBuffer logSumExpFloats;

    Results(AttentionProblem problem) {
        this.problem = problem;
        output = Tensor.zeros(problem.dtype(), problem.outputShape());
        weights = problem.attention().wantsWeights() ? Tensor.zeros(DType.FLOAT32, problem.weightsShape()) : null;
        logSumExp = problem.attention().wantsLogSumExp() ? Tensor.zeros(DType.FLOAT32, problem.logSumExpShape()) : null;
        outputBytes = output.bytes();
        outputFloats = outputBytes.asFloatBuffer();
        weightsFloats = weights == null ? null : weights.floats();
        logSumExpFloats = logSumExp == null ? null : logSumExp.floats();
    }

    AttentionResult toResult(String plan) {
        return new AttentionResult(output, weights, logSumExp, plan);
    }

    boolean wantsWeights() {
        return weights != null;
    }

    private int row(QueryBlock lanes, int lane) {
        return (lanes.batch * problem.queryHeads() + lanes.head[lane]) * problem.queryLength() + lanes.query[lane];
    }

    /** Writes a row of the output; {@code elements} may be longer. */
    void output(QueryBlock lanes, int lane, float[] elements) {
        int width = problem.valueDim();
        int at = row(lanes, lane) * width;
        switch (problem.dtype()) {
            case FLOAT16 -> {
                for (int c = 0; c < width; c++) {
                    outputBytes.putShort(2 * (at + c), Float16.fromFloat(elements[c]));
                }
            }
            case BFLOAT16 -> {
                for (int c = 0; c < width; c++) {
                    outputBytes.putShort(2 * (at + c), Float16.bfloatFromFloat(elements[c]));
                }
            }
            case FLOAT32 -> outputFloats.put(at, elements, 0, width);
            default -> {
                for (int c = 0; c < width; c++) {
                    problem.dtype().write(outputBytes, problem.dtype().bytes() * (at + c), elements[c]);
                }
            }
        }
    }

    /** Writes the logarithm of a row's sum, if it is wanted. */
    void logSumExp(QueryBlock lanes, int lane, float max, float sum) {
        if (logSumExp != null) {
            float lse = sum == 0 ? Float.NEGATIVE_INFINITY : (float) (max + Math.log(sum));
            logSumExpFloats.put(row(lanes, lane), lse);
        }
    }

    /** Stores a row's masked scores in the place of its weights. */
    void scores(QueryBlock lanes, int lane, KeyBlock keys, float[] scores) {
        weightsFloats.put(row(lanes, lane) * problem.keyLength() + keys.start, scores, 0, keys.count);
    }

    /** Turns a row's stored scores into weights; those of keys that no lane attends to are still 0. */
    void weights(QueryBlock lanes, int lane, float max, float sum) {
        int at = row(lanes, lane) * problem.keyLength();
        int count = KeyBlock.MOST_KEYS;
        float[] part = new float[count];
        if (Float.isNaN(sum)) {
            // As in the textbook's softmax, a NaN among the scores is in every weight of the row.
            Arrays.fill(part, Float.NaN);
            for (int j = 0; j < problem.keyLength(); j += count) {
                weightsFloats.put(at + j, part, 0, Math.min(count, problem.keyLength() - j));
            }
            return;
        }
        float[] shift = new float[count];
        float[] scratch = new float[count];
        Arrays.fill(shift, sum == 0 ? 0 : max);
        for (int j = lanes.start; j < lanes.end; j += count) {
            int length = Math.min(count, lanes.end - j);
            weightsFloats.get(at + j, part, 0, length);
            Exp.shifted(part, shift, scratch, 0, length);
            for (int n = 0; n < length; n++) {
                part[n] = sum == 0 ? 0 : part[n] / sum;
            }
            weightsFloats.put(at + j, part, 0, length);
        }
    }
}
