package dev.attention4j.tuner;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.Tuning;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.SampledOracle;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.spi.TestOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A problem on two engines of one OpenCL device. */
abstract class OpenClWorkbench implements Workbench {
    /** What the oracle may take: some seconds. */
    private static final double ORACLE_FLOPS = 4e8;

    /** Fills memory with NaN before each use, so that a kernel which writes nothing does not find an earlier result. */
    final OpenClEngine checked;

    /** As fast as users have it. */
    final OpenClEngine timed;

    private OpenClWorkbench(EngineInfo info, String plan) {
        EngineOptions options = EngineOptions.DEFAULT.withPlan(plan).withTuning(Tuning.SHIPPED);
        checked = open(info, options.with(TestOption.POISON, true));
        try {
            timed = open(info, options);
        } catch (RuntimeException | Error e) {
            checked.close();
            throw e;
        }
    }

    private static OpenClEngine open(EngineInfo info, EngineOptions options) {
        AttentionEngine engine = Engines.open(info.id(), options);
        if (engine instanceof OpenClEngine openCl) {
            return openCl;
        }
        engine.close();
        throw new IllegalArgumentException("device: " + info.id() + " has one plan and nothing to tune");
    }

    /** Opens the engines and draws the inputs. */
    static Workbench open(EngineInfo info, String plan, Shape shape, DType dtype) {
        return shape instanceof ProjectionShape projection
                ? new OfProjection(info, projection)
                : new OfAttention(info, plan, ((AttentionShape) shape).problem(dtype));
    }

    final Tensor upload(Tensor tensor) {
        try {
            return timed.upload(tensor);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    @Override
    public final void close() {
        timed.close();
        checked.close();
    }

    /** An attention, by plans and their tunables. */
    private static final class OfAttention extends OpenClWorkbench {
        private final AttentionProblem problem;
        private final Inputs onHost;
        private final SampledOracle oracle;
        private final Inputs onDevice;

        OfAttention(EngineInfo info, String plan, AttentionProblem problem) {
            super(info, plan);
            this.problem = problem;
            onHost = Inputs.of(problem);
            oracle = SampledOracle.of(onHost, ORACLE_FLOPS);
            onDevice = new Inputs(
                    upload(onHost.query()), upload(onHost.key()), upload(onHost.value()), onHost.attention());
        }

        private static AttentionResult attend(OpenClEngine engine, Inputs inputs, Variant variant) {
            return engine.attend(inputs.query(), inputs.key(), inputs.value(), inputs.attention(), variant);
        }

        @Override
        public List<Variant> variants() {
            return timed.variants(problem);
        }

        @Override
        public Optional<String> whyWrong(Variant variant) {
            try (AttentionResult result = attend(checked, onHost, variant)) {
                return oracle.whyWrong(result);
            }
        }

        @Override
        public void run(Variant variant) {
            attend(timed, onDevice, variant).close();
        }
    }

    /** A projection, by tunables of the kernel of its class. */
    private static final class OfProjection extends OpenClWorkbench {
        private final Tensor input;
        private final Tensor kernel;
        private final Tensor bias;
        private final Tensor onDevice;
        private final SampledOracle oracle;
        private final Map<Variant, Prepared> prepared = new HashMap<>();

        /** Weights as a variant's kernel reads them, on the device. */
        private record Prepared(Projector projector, Projector.Projection projection) implements AutoCloseable {
            Tensor project(Tensor input) {
                return projector.toHeads(input, List.of(projection)).get(0);
            }

            @Override
            public void close() {
                projection.close();
            }
        }

        OfProjection(EngineInfo info, ProjectionShape shape) {
            super(info, EngineOptions.AUTO);
            input = Tensor.random(1, 1, shape.rows(), shape.inputs());
            kernel = Tensor.random(2, shape.inputs(), 1, shape.outputs());
            bias = Tensor.random(3, 1, shape.outputs());
            oracle = SampledOracle.ofProjection(input, kernel, bias, ORACLE_FLOPS);
            onDevice = upload(input);
        }

        private Prepared prepare(OpenClEngine engine, Variant variant) {
            Projector projector = engine.projector(variant);
            return new Prepared(projector, projector.prepare(kernel, bias));
        }

        @Override
        public List<Variant> variants() {
            return timed.projectionVariants();
        }

        @Override
        public Optional<String> whyWrong(Variant variant) {
            try (Prepared once = prepare(checked, variant);
                    Tensor output = once.project(input)) {
                return oracle.whyWrong(output.toFloatArray());
            }
        }

        @Override
        public void run(Variant variant) {
            prepared.computeIfAbsent(variant, one -> prepare(timed, one))
                    .project(onDevice)
                    .close();
        }
    }
}
