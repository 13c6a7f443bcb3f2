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
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A problem on two engines of one OpenCL device. */
final class OpenClWorkbench implements Workbench {
    /** The oracle's effort: some seconds. */
    private static final double ORACLE_FLOPS = 4e8;

    /** Fills memory with NaN before each use, so that a kernel which writes nothing does not find an earlier result. */
    private final OpenClEngine checked;

    /** As fast as users have it. */
    private final OpenClEngine timed;

    /** Of each variant that has run. */
    private final Map<Variant, String> outOfRegisters = new HashMap<>();

    private List<Variant> variants;
    private Function<Variant, Optional<String>> check;
    private Consumer<Variant> call;

    private OpenClWorkbench(OpenClEngine checked, OpenClEngine timed) {
        this.checked = checked;
        this.timed = timed;
    }

    /** Opens the engines and draws the inputs. */
    static Workbench open(EngineInfo info, String plan, Shape shape, DType dtype) {
        EngineOptions options = EngineOptions.DEFAULT.withPlan(plan).withTuning(Tuning.SHIPPED);
        OpenClEngine checked = open(info, options.with(TestOption.POISON, true));
        OpenClEngine timed = null;
        try {
            timed = open(info, options);
            OpenClWorkbench bench = new OpenClWorkbench(checked, timed);
            if (shape instanceof ProjectionShape projection) {
                bench.project(projection);
            } else {
                bench.attend(((AttentionShape) shape).problem(dtype));
            }
            return bench;
        } catch (RuntimeException | Error e) {
            if (timed != null) {
                timed.close();
            }
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

    private void attend(AttentionProblem problem) {
        Inputs onHost = Inputs.of(problem);
        SampledOracle oracle = SampledOracle.of(onHost, ORACLE_FLOPS);
        Inputs onDevice = new Inputs(
                timed.upload(onHost.query()),
                timed.upload(onHost.key()),
                timed.upload(onHost.value()),
                onHost.attention());
        variants = timed.variants(problem);
        check = variant -> {
            try (AttentionResult result = attend(checked, onHost, variant)) {
                return oracle.whyWrong(result);
            }
        };
        call = variant -> attend(timed, onDevice, variant).close();
    }

    private static AttentionResult attend(OpenClEngine engine, Inputs inputs, Variant variant) {
        return engine.attend(inputs.query(), inputs.key(), inputs.value(), inputs.attention(), variant);
    }

    private void project(ProjectionShape shape) {
        Tensor input = Tensor.random(1, 1, shape.rows(), shape.inputs());
        Tensor weights = Tensor.random(2, shape.inputs(), 1, shape.outputs());
        Tensor bias = Tensor.random(3, 1, shape.outputs());
        SampledOracle oracle = SampledOracle.ofProjection(input, weights, bias, ORACLE_FLOPS);
        Tensor onDevice = timed.upload(input);
        variants = timed.projectionVariants();
        check = variant -> {
            Projector projector = checked.projector(variant);
            try (Projector.Projection prepared = projector.prepare(weights, bias);
                    Tensor output = projector.toHeads(input, List.of(prepared)).get(0)) {
                return oracle.whyWrong(output.toFloatArray());
            }
        };
        Map<Variant, Runnable> calls = new HashMap<>();
        call = variant -> calls.computeIfAbsent(variant, one -> {
                    Projector projector = timed.projector(one);
                    List<Projector.Projection> prepared = List.of(projector.prepare(weights, bias));
                    return () -> projector.toHeads(onDevice, prepared).get(0).close();
                })
                .run();
    }

    @Override
    public List<Variant> variants() {
        return variants;
    }

    @Override
    public Optional<String> whyWrong(Variant variant) {
        return check.apply(variant);
    }

    @Override
    public void run(Variant variant) {
        if (outOfRegisters.containsKey(variant)) {
            call.accept(variant);
            return;
        }
        Set<String> before = timed.outOfRegisters().keySet();
        call.accept(variant);
        Map<String, Long> added = timed.outOfRegisters();
        added.keySet().removeAll(before);
        outOfRegisters.put(variant, describe(added));
    }

    /** Says it of kernels as {@link OpenClEngine#outOfRegisters} names them. */
    static String describe(Map<String, Long> bytes) {
        return bytes.entrySet().stream()
                .map(each -> each.getKey().split(" ", 2)[0] + " keeps " + each.getValue()
                        + " bytes of a work-item in memory for want of registers")
                .collect(Collectors.joining("; "));
    }

    @Override
    public String outOfRegisters(Variant variant) {
        return outOfRegisters.getOrDefault(variant, "");
    }

    @Override
    public void close() {
        timed.close();
        checked.close();
    }
}
