package dev.attention4j.bench;

import dev.attention4j.AttentionGradients;
import dev.attention4j.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** A call for gradients of query, key and value, which names the plan that computed them. */
final class GradientsCall implements Contender.Call {
    private final TensorCall call;
    private String plan;

    /**
     * Computes nothing yet.
     *
     * @param release gives back what was prepared for these calls
     */
    GradientsCall(Runnable release, Supplier<AttentionGradients> compute) {
        call = new TensorCall(release, () -> {
            AttentionGradients gradients = compute.get();
            plan = gradients.plan();
            return List.<Tensor>of(gradients.query(), gradients.key(), gradients.value());
        });
    }

    @Override
    public void run() {
        call.run();
    }

    @Override
    public Optional<String> plan() {
        return Optional.ofNullable(plan);
    }

    @Override
    public float[] output() {
        return call.output();
    }

    @Override
    public void close() {
        call.close();
    }
}
