package dev.attention4j.bench.jmh;

import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.List;

/** {@code projection/pack_weights.cl}, in the gradients of the weights of a projection: the input transposed, and the results. */
public class PackWeightsBenchmark extends KernelBenchmark {
    private OpenClEngine device;
    private Tensor input;
    private Tensor byResult;

    /** Names the kernel and the usual shape. */
    public PackWeightsBenchmark() {
        super("pack_weights", "gemm:4096.512.512");
    }

    @Override
    void open(String given) {
        ProjectionShape sizes = ProjectionShape.parse(given);
        device = (OpenClEngine) Engines.open(engine, EngineOptions.DEFAULT);
        Tensor inputHere = Tensor.random(1, 1, 1, sizes.rows(), sizes.inputs());
        Tensor byResultHere = Tensor.random(2, 1, 1, sizes.rows(), sizes.outputs());
        input = device.upload(inputHere);
        byResult = device.upload(byResultHere);
        double expected = 0;
        for (int row = 0; row < sizes.rows(); row++) {
            expected += inputHere.get(0, 0, row, sizes.inputs() - 1) * byResultHere.get(0, 0, row, sizes.outputs() - 1);
        }
        try (Tensor gradient = gradient()) {
            double got = gradient.get(sizes.inputs(), sizes.outputs() - 1);
            if (!(Math.abs(got - expected) <= 1e-5 * sizes.rows())) {
                throw new IllegalStateException("the last gradient is " + got + ", must be " + expected);
            }
        }
    }

    private Tensor gradient() {
        return device.projector()
                .weightGradients(input, null, List.of(byResult))
                .get(0);
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
        gradient().close();
    }
}
