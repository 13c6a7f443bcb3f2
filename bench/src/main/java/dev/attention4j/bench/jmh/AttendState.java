package dev.attention4j.bench.jmh;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.bench.ExpectedResult;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;

/** An open engine and the tensors of a shape, on the host and on the engine's device; its result has been checked. */
final class AttendState implements AutoCloseable {
    private final AttentionEngine engine;
    private final Inputs host;
    private final Inputs device;

    /** Reads a shape and stores its tensors as float32. */
    AttendState(String shape, String engineName, String plan) {
        this(Inputs.of(AttentionShape.parse(shape), DType.FLOAT32), engineName, plan);
    }

    /** Opens the engine, computes once from the host and once from the device, and checks both. */
    AttendState(Inputs host, String engineName, String plan) {
        this.host = host;
        engine = Engines.open(engineName, EngineOptions.DEFAULT.withPlan(plan));
        device = new Inputs(
                host.shape(),
                host.problem(),
                engine.upload(host.query()),
                engine.upload(host.key()),
                engine.upload(host.value()));
        ExpectedResult truth = ExpectedResult.of(host);
        try (AttentionResult fromHost = attendHost();
                AttentionResult fromDevice = attendDevice()) {
            truth.check("from the host", fromHost.output().toFloatArray());
            truth.check("from the device", fromDevice.output().toFloatArray());
        }
    }

    AttentionEngine engine() {
        return engine;
    }

    AttentionResult attendHost() {
        return attend(host);
    }

    AttentionResult attendDevice() {
        return attend(device);
    }

    private AttentionResult attend(Inputs inputs) {
        return engine.attend(
                inputs.query(), inputs.key(), inputs.value(), inputs.problem().attention());
    }

    @Override
    public void close() {
        engine.close();
    }
}
