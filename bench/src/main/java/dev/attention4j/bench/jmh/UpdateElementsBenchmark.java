package dev.attention4j.bench.jmh;

import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates.Update;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.List;

/** {@code training/update_elements.cl}: a step of Adam on the weights of a projection. */
public class UpdateElementsBenchmark extends KernelBenchmark {
    private OpenClEngine device;
    private Tensor weight;
    private Tensor gradient;
    private Tensor mean;
    private Tensor square;

    /** Names the kernel and the usual shape. */
    public UpdateElementsBenchmark() {
        super("update_elements", "gemm:1.1024.1024");
    }

    @Override
    void open(String given) {
        ProjectionShape sizes = ProjectionShape.parse(given);
        device = (OpenClEngine) Engines.open(engine, EngineOptions.DEFAULT);
        weight = device.upload(Tensor.random(1, sizes.inputs(), sizes.outputs()));
        gradient = device.upload(Tensor.random(2, sizes.inputs(), sizes.outputs()));
        mean = device.zeros(DType.FLOAT32, sizes.inputs(), sizes.outputs());
        square = device.zeros(DType.FLOAT32, sizes.inputs(), sizes.outputs());
        // The first step of Adam is as long as the rate, against the sign of the gradient.
        double expected = weight.get(0, 0) - 0.001 * Math.signum(gradient.get(0, 0));
        launch();
        if (!(Math.abs(weight.get(0, 0) - expected) <= 1e-6)) {
            throw new IllegalStateException("the first weight is " + weight.get(0, 0) + ", must be " + expected);
        }
    }

    @Override
    public void close() {
        device.close();
    }

    @Override
    void profileInto(List<ClEvent> events) {
        device.profileInto(events);
    }

    @Override
    void launch() {
        Update step = Update.adam(0.001, 1, 0, 0.9, 0.999, 1e-8, 1);
        device.updates().update(step, weight, gradient, mean, square);
    }
}
