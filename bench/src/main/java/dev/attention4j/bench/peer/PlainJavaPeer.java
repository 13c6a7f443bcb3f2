package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import dev.attention4j.bench.ShapeCase;
import java.util.ArrayList;
import java.util.List;

/** Attention as people write it by hand in Java: three loops, a task for each batch row and head. */
public final class PlainJavaPeer extends PlainJava<Inputs> {
    /**
     * Starts the threads.
     *
     * @param threads how many
     */
    public PlainJavaPeer(int threads) {
        super(threads);
    }

    @Override
    public Call prepare(Inputs inputs) {
        return new AttentionCall(inputs);
    }

    private final class AttentionCall extends LoopsCall {
        private final ShapeCase shape;
        private final float scale;
        private final float[] query;
        private final float[] key;
        private final float[] value;
        private final boolean[] mask;

        AttentionCall(Inputs inputs) {
            shape = inputs.shape();
            scale = (float) inputs.problem().scale();
            query = inputs.query().toFloatArray();
            key = inputs.key().toFloatArray();
            value = inputs.value().toFloatArray();
            mask = inputs.problem()
                    .attention()
                    .mask()
                    .map(Tensor::toBooleanArray)
                    .orElse(null);
        }

        @Override
        int elements() {
            return shape.batch() * shape.queryHeads() * shape.queryLength() * shape.valueDim();
        }

        @Override
        List<Runnable> tasks(float[] result) {
            List<Runnable> tasks = new ArrayList<>();
            for (int batch = 0; batch < shape.batch(); batch++) {
                for (int head = 0; head < shape.queryHeads(); head++) {
                    int batchRow = batch;
                    int queryHead = head;
                    tasks.add(() -> attend(batchRow, queryHead, result));
                }
            }
            return tasks;
        }

        private void attend(int batch, int head, float[] result) {
            int dim = shape.headDim();
            int valueDim = shape.valueDim();
            int keys = shape.keyLength();
            int group = shape.queryHeads() / shape.keyValueHeads();
            int q0 = (batch * shape.queryHeads() + head) * shape.queryLength();
            int k0 = (batch * shape.keyValueHeads() + head / group) * keys;
            float[] scores = new float[keys];
            for (int i = 0; i < shape.queryLength(); i++) {
                int seen = shape.isCausal() ? Math.min(keys, i + 1) : keys;
                float max = Float.NEGATIVE_INFINITY;
                for (int j = 0; j < seen; j++) {
                    if (mask != null && !mask[(batch * shape.queryLength() + i) * keys + j]) {
                        scores[j] = Float.NEGATIVE_INFINITY;
                        continue;
                    }
                    float dot = 0;
                    for (int d = 0; d < dim; d++) {
                        dot += query[(q0 + i) * dim + d] * key[(k0 + j) * dim + d];
                    }
                    scores[j] = dot * scale;
                    max = Math.max(max, scores[j]);
                }
                float sum = 0;
                for (int j = 0; j < seen; j++) {
                    scores[j] = (float) Math.exp(scores[j] - max);
                    sum += scores[j];
                }
                for (int j = 0; j < seen; j++) {
                    float weight = scores[j] / sum;
                    for (int d = 0; d < valueDim; d++) {
                        result[(q0 + i) * valueDim + d] += weight * value[(k0 + j) * valueDim + d];
                    }
                }
            }
        }
    }
}
