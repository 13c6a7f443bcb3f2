package dev.attention4j.bench;

import dev.attention4j.Tensor;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.function.Supplier;

/** A call of this project that gives tensors, which are closed when the next call begins. */
final class TensorCall implements Contender.Call {
    private final Supplier<List<Tensor>> compute;
    private final Runnable release;
    private List<Tensor> output = List.of();

    /**
     * Computes nothing yet.
     *
     * @param release gives back what was prepared for these calls
     */
    TensorCall(Supplier<Tensor> compute, Runnable release) {
        this(release, () -> List.of(compute.get()));
    }

    /** The same of several tensors, one after another. */
    TensorCall(Runnable release, Supplier<List<Tensor>> compute) {
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
        FloatBuffer numbers = FloatBuffer.allocate(
                Math.toIntExact(output.stream().mapToLong(Tensor::elementCount).sum()));
        output.forEach(tensor -> numbers.put(tensor.toFloatArray()));
        return numbers.array();
    }

    @Override
    public void close() {
        giveUp();
        release.run();
    }

    private void giveUp() {
        output.forEach(Tensor::close);
        output = List.of();
    }
}
