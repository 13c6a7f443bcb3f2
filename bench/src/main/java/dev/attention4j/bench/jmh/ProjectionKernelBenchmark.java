package dev.attention4j.bench.jmh;

import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.bench.ProjectionInputs;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.List;

/** A kernel of a dense projection. JMH shows one that the device's class does not use as failed. */
public abstract class ProjectionKernelBenchmark extends KernelBenchmark {
    private OpenClEngine device;
    private Projector projector;
    private Projector.Projection projection;
    private Tensor input;

    ProjectionKernelBenchmark(String kernel) {
        super(kernel, "gemm:4096.512.512");
    }

    @Override
    final void open(String given) {
        ProjectionInputs inputs = ProjectionInputs.of(ProjectionShape.parse(given), DType.FLOAT32);
        ProjectionShape sizes = inputs.shape();
        device = (OpenClEngine) Engines.open(engine, EngineOptions.DEFAULT);
        projector = device.projector();
        projection = projector.prepare(
                inputs.weights().reshape(sizes.inputs(), 1, sizes.outputs()),
                inputs.bias().reshape(1, sizes.outputs()));
        input = device.upload(inputs.input().reshape(1, sizes.rows(), sizes.inputs()));
        try (Tensor result = project()) {
            inputs.expected().check("projection", result.toFloatArray());
        }
    }

    private Tensor project() {
        return projector.toHeads(input, List.of(projection)).get(0);
    }

    @Override
    public final void close() {
        device.close();
    }

    @Override
    final void profileInto(List<ClEvent> events) {
        device.profileInto(events);
    }

    @Override
    final void launch() {
        project().close();
    }
}
