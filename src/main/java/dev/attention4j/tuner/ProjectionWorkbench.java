package dev.attention4j.tuner;

import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Variant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A projection on an OpenCL device, by tilings of the kernel of its class. */
final class ProjectionWorkbench implements Workbench {
    private final EnginePair engines;
    private final Tensor input;
    private final Tensor kernel;
    private final Tensor bias;
    private final Tensor onDevice;
    private final ProjectionOracle oracle;
    private final Map<Variant, Prepared> prepared = new HashMap<>();

    /** Weights as a variant's kernel reads them, on the device. */
    private record Prepared(Projector projector, Projector.Projection projection) implements AutoCloseable {
        Tensor project(Tensor input) {
            return projector.split(input, List.of(projection)).get(0);
        }

        @Override
        public void close() {
            projection.close();
        }
    }

    /**
     * Opens engines and draws the inputs.
     *
     * @param info an OpenCL device
     */
    ProjectionWorkbench(EngineInfo info, ProjectionShape shape) {
        input = Tensor.random(1, 1, shape.rows(), shape.inputs());
        kernel = Tensor.random(2, shape.inputs(), 1, shape.outputs());
        bias = Tensor.random(3, 1, shape.outputs());
        oracle = new ProjectionOracle(input, kernel, bias, ORACLE_FLOPS);
        engines = EnginePair.open(info, EngineOptions.AUTO);
        try {
            onDevice = engines.timed().upload(input);
        } catch (RuntimeException | Error e) {
            engines.close();
            throw e;
        }
    }

    private Prepared prepare(OpenClEngine engine, Variant variant) {
        Projector projector = engine.projector(variant);
        return new Prepared(projector, projector.prepare(kernel, bias));
    }

    @Override
    public List<Variant> variants() {
        return engines.timed().projectionVariants();
    }

    @Override
    public Optional<String> objection(Variant variant) {
        try (Prepared once = prepare(engines.checked(), variant);
                Tensor output = once.project(input)) {
            return oracle.objection(output.toFloatArray());
        }
    }

    @Override
    public void run(Variant variant) {
        prepared.computeIfAbsent(variant, one -> prepare(engines.timed(), one))
                .project(onDevice)
                .close();
    }

    @Override
    public void close() {
        engines.close();
    }
}
