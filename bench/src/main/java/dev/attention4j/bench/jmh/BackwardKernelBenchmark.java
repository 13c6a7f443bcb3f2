package dev.attention4j.bench.jmh;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.List;

/** A kernel that a call for gradients launches: with a bias for each key, sinks and ALiBi, and the gradients of these. */
public abstract class BackwardKernelBenchmark extends KernelBenchmark {
    private OpenClEngine opened;
    private Tensor outputGradient;
    private AttentionTape tape;

    private final String plan;

    BackwardKernelBenchmark(String kernel) {
        this(kernel, EngineOptions.AUTO);
    }

    BackwardKernelBenchmark(String kernel, String plan) {
        super(kernel, AttentionKernelBenchmark.LONG);
        this.plan = plan;
    }

    @Override
    final void open(String given) {
        AttentionEngine found = Engines.open(engine, EngineOptions.DEFAULT.withPlan(plan));
        if (!(found instanceof OpenClEngine device)) {
            String name = found.info().name();
            found.close();
            throw new IllegalArgumentException("engine: \"" + engine + "\" is " + name + ", must be an OpenCL device");
        }
        opened = device;
        Inputs inputs = Inputs.of(AttentionShape.parse(given), DType.FLOAT32);
        int heads = inputs.problem().queryHeads();
        AttentionBuilder builder = inputs.problem().attention().toBuilder()
                .bias(Tensor.random(1, inputs.problem().keyLength()))
                .sinks(new float[heads])
                .alibiSlopes(new float[heads]);
        Attention attention = builder.build();
        outputGradient = opened.upload(Tensor.random(2, inputs.problem().outputShape()));
        tape = opened.attendForGradients(
                opened.upload(inputs.query()), opened.upload(inputs.key()), opened.upload(inputs.value()), attention);
    }

    @Override
    public final void close() {
        opened.close();
    }

    @Override
    final void profileInto(List<ClEvent> events) {
        opened.profileInto(events);
    }

    @Override
    final void launch() {
        GradientOptions all = GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes();
        AttentionGradients gradients = tape.gradients(outputGradient, all);
        gradients.close();
    }
}
