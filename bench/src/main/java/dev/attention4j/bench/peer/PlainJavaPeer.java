package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;
import java.util.ArrayList;
import java.util.List;

/** Attention as people write it by hand in Java: three loops, a task for each batch row and head. */
final class PlainJavaPeer extends PlainJava<Inputs> {
    PlainJavaPeer(int threads) {
        super(threads);
    }

    @Override
    public Call prepare(Inputs inputs) {
        return new AttentionCall(inputs);
    }

    private final class AttentionCall extends LoopsCall {
        private final AttentionShape sizes;
        private final boolean causal;
        private final int offset;
        private final float scale;
        private final float[] query;
        private final float[] key;
        private final float[] value;
        private final boolean[] mask;

        AttentionCall(Inputs inputs) {
            sizes = inputs.shape();
            causal = inputs.shape().isCausal() || sizes.isCached();
            offset = sizes.isCached() ? sizes.keyLength() - sizes.queryLength() : 0;
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
            return sizes.batch() * sizes.queryHeads() * sizes.queryLength() * sizes.valueDim();
        }

        @Override
        List<Runnable> tasks(float[] result) {
            List<Runnable> tasks = new ArrayList<>();
            for (int batch = 0; batch < sizes.batch(); batch++) {
                for (int head = 0; head < sizes.queryHeads(); head++) {
                    int batchRow = batch;
                    int queryHead = head;
                    tasks.add(() -> attend(batchRow, queryHead, result));
                }
            }
            return tasks;
        }

        private void attend(int batch, int head, float[] result) {
            int dim = sizes.headDim();
            int valueDim = sizes.valueDim();
            int keys = sizes.keyLength();
            int group = sizes.queryHeads() / sizes.keyValueHeads();
            int q0 = (batch * sizes.queryHeads() + head) * sizes.queryLength();
            int k0 = (batch * sizes.keyValueHeads() + head / group) * keys;
            float[] scores = new float[keys];
            for (int i = 0; i < sizes.queryLength(); i++) {
                int seen = causal ? Math.min(keys, i + 1 + offset) : keys;
                float max = Float.NEGATIVE_INFINITY;
                for (int j = 0; j < seen; j++) {
                    if (mask != null && !mask[(batch * sizes.queryLength() + i) * keys + j]) {
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
