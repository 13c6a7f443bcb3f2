package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.measure.ProjectionShape;
import java.util.List;
import java.util.Optional;

/**
 * A projection as layers on an engine compute it: the input is on the host, the result stays where attention needs it.
 */
final class ProjectionContender implements Contender<ProjectionInputs> {
    private final AttentionEngine engine;
    private final Projector projector;

    private ProjectionContender(AttentionEngine engine, Projector projector) {
        this.engine = engine;
        this.projector = projector;
    }

    /** Opens an engine. */
    static ProjectionContender open(EngineInfo info) {
        AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
        return new ProjectionContender(engine, engine.projector());
    }

    @Override
    public String name() {
        return engine.info().id();
    }

    @Override
    public String plan() {
        return "projection";
    }

    @Override
    public boolean isPeer() {
        return false;
    }

    @Override
    public Optional<String> refusal(ProjectionInputs inputs) {
        return Optional.empty();
    }

    @Override
    public Call prepare(ProjectionInputs inputs) {
        ProjectionShape shape = inputs.shape();
        Tensor kernel = inputs.weights().reshape(shape.inputs(), 1, shape.outputs());
        Projector.Projection projection =
                projector.prepare(kernel, inputs.bias().reshape(1, shape.outputs()));
        return new TensorCall(
                () -> projector.split(inputs.input(), List.of(projection)).get(0), projection::close);
    }

    @Override
    public void close() {
        engine.close();
    }
}
