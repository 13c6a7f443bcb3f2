package dev.attention4j.bench;

import dev.attention4j.Tensor;
import java.util.function.Supplier;

/** A call of this project that gives a tensor, which is closed when the next call begins. */
final class TensorCall implements Contender.Call {
    private final Supplier<Tensor> compute;
    private final Runnable release;
    private Tensor output;

    /**
     * Computes nothing yet.
     *
     * @param release gives back what was prepared for these calls
     */
    TensorCall(Supplier<Tensor> compute, Runnable release) {
        this.compute = compute;
        this.release = release;
    }

    @Override
    public void run() {
        giveUp();
        output = compute.get();
    }

    @Override
    public float[] output() {
        return output.toFloatArray();
    }

    @Override
    public void close() {
        giveUp();
        release.run();
    }

    private void giveUp() {
        if (output != null) {
            output.close();
            output = null;
        }
    }
}
