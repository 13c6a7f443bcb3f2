package dev.attention4j.bench;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.PlanChoice;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.bench.peer.Peers;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** Opens who takes part: engines with their plans, and peers. */
final class ContenderOpener {
    /** Every plan of an engine. */
    static final String ALL = "all";

    /** No peer. */
    static final String NONE = "none";

    private final List<EngineInfo> engines;
    private final String plan;
    private final String peers;
    private final int threads;
    private final Consumer<String> note;

    /**
     * Opens nothing yet.
     *
     * @param plan a plan's name, {@link EngineOptions#AUTO} or {@link #ALL}
     * @param peers comma-separated, {@link #NONE}, or null for those that load
     * @param note takes what is left out, and why
     */
    ContenderOpener(List<EngineInfo> engines, String plan, String peers, int threads, Consumer<String> note) {
        this.engines = engines;
        this.plan = plan;
        this.peers = peers;
        this.threads = threads;
        this.note = note;
    }

    List<Contender<Inputs>> attention() {
        return open(EngineContender::new, Peers::openAttention);
    }

    List<Contender<LayerInputs>> layer() {
        return open(LayerContender::new, Peers::openLayer);
    }

    /** Projections have no plans: the engine has one way. */
    List<Contender<ProjectionInputs>> gemm() {
        List<Contender<ProjectionInputs>> opened = new ArrayList<>();
        try {
            engines.forEach(engine -> opened.add(ProjectionContender.open(engine)));
            openPeers(Peers::openGemm, opened);
            return opened;
        } catch (RuntimeException e) {
            opened.forEach(Contender::close);
            throw e;
        }
    }

    /** Opens an engine with one of its plans, to be timed everywhere or only where the engine takes it by itself. */
    private interface ByPlan<W extends Workload> {
        Contender<W> open(EngineInfo engine, String plan, boolean onlyWhereChosen);
    }

    private <W extends Workload> List<Contender<W>> open(
            ByPlan<W> byPlan, BiFunction<String, Integer, List<Contender<W>>> byPeer) {
        List<Contender<W>> opened = new ArrayList<>();
        try {
            for (EngineInfo engine : engines) {
                for (String name : plans(engine)) {
                    opened.add(byPlan.open(engine, name, plan.equals(EngineOptions.AUTO)));
                }
            }
            openPeers(byPeer, opened);
            return opened;
        } catch (RuntimeException e) {
            opened.forEach(Contender::close);
            throw e;
        }
    }

    private List<String> plans(EngineInfo engine) {
        try (AttentionEngine probe = Engines.open(engine.id(), EngineOptions.DEFAULT)) {
            if (probe.plans().contains(plan)) {
                return List.of(plan);
            }
            if (!plan.equals(ALL) && !plan.equals(EngineOptions.AUTO) && engine.isOpenCl()) {
                throw new IllegalArgumentException("--plan: \"" + plan + "\", must be all, auto or one of "
                        + probe.plans() + " on " + engine.id());
            }
            // A plan is the device's; the CPU next to it has its own.
            return probe.plans();
        }
    }

    private <W extends Workload> void openPeers(
            BiFunction<String, Integer, List<Contender<W>>> byPeer, List<Contender<W>> opened) {
        for (String name : peerNames()) {
            try {
                opened.addAll(byPeer.apply(name, threads));
            } catch (IllegalStateException e) {
                if (peers != null) {
                    throw e;
                }
                note.accept(e.getMessage() + " (left out)");
            }
        }
    }

    private List<String> peerNames() {
        if (peers == null) {
            return Peers.names();
        }
        List<String> names = new ArrayList<>();
        for (String name : peers.equals(NONE) ? new String[0] : peers.split(",", -1)) {
            if (!Peers.names().contains(name.strip())) {
                throw new IllegalArgumentException("--peers: \"" + name + "\", must be "
                        + String.join(", ", Peers.names()) + ", comma-separated, or none");
            }
            names.add(name.strip());
        }
        return names;
    }

    /** Attention by an engine of this project with one plan: the library call, host tensors in, host tensor out. */
    private static final class EngineContender extends EngineWithPlan<Inputs> {
        /** Opens an engine with one of its plans. */
        EngineContender(EngineInfo info, String plan, boolean onlyWhereChosen) {
            super(info, plan, onlyWhereChosen);
        }

        @Override
        AttentionProblem problem(Inputs inputs) {
            return inputs.problem();
        }

        /** A cache is on the device, where the plan for tiny problems does not go. */
        @Override
        PlanChoice choice(AttentionEngine free, Inputs inputs) {
            if (!inputs.shape().isCached()) {
                return super.choice(free, inputs);
            }
            DType type = inputs.shape().cache().type();
            try (Tensor key = free.zeros(type, inputs.key().shape());
                    Tensor value = free.zeros(type, inputs.value().shape())) {
                return free.explain(inputs.query(), key, value, inputs.problem().attention());
            }
        }

        /** Gradients have a plan of their own. */
        @Override
        public Optional<String> refusal(Inputs inputs) {
            return inputs.shape().hasGradients() && !isOwnChoice(inputs)
                    ? Optional.of("gradients are timed with the engine's own plan")
                    : super.refusal(inputs);
        }

        @Override
        public Call prepare(Inputs inputs) {
            if (inputs.shape().hasGradients()) {
                return gradients(inputs);
            }
            if (inputs.shape().isCached()) {
                CachedStep step = CachedStep.open(engine(), inputs);
                return new TensorCall(() -> step.run().output(), step::close);
            }
            return new TensorCall(
                    () -> engine().attend(
                                    inputs.query(),
                                    inputs.key(),
                                    inputs.value(),
                                    inputs.problem().attention())
                            .output(),
                    () -> {});
        }

        private Call gradients(Inputs inputs) {
            Tensor outputGradient = inputs.outputGradient();
            if (inputs.shape().pass() == AttentionShape.Pass.TRAINING) {
                return new GradientsCall(() -> {}, () -> {
                    try (AttentionTape tape = tape(inputs)) {
                        return tape.gradients(outputGradient);
                    }
                });
            }
            AttentionTape tape = tape(inputs);
            return new GradientsCall(tape::close, () -> tape.gradients(outputGradient));
        }

        private AttentionTape tape(Inputs inputs) {
            return engine().attendForGradients(
                            inputs.query(),
                            inputs.key(),
                            inputs.value(),
                            inputs.problem().attention());
        }
    }

    /** This project's layer on an engine with one plan: host tensor in, host tensor out. */
    private static final class LayerContender extends EngineWithPlan<LayerInputs> {
        /** Opens an engine with one of its plans. */
        LayerContender(EngineInfo info, String plan, boolean onlyWhereChosen) {
            super(info, plan, onlyWhereChosen);
        }

        @Override
        AttentionProblem problem(LayerInputs inputs) {
            LayerShape shape = inputs.shape();
            return new AttentionProblem(
                    shape.batch(),
                    shape.heads(),
                    shape.heads(),
                    shape.length(),
                    shape.length(),
                    shape.headDim(),
                    shape.headDim(),
                    inputs.dtype(),
                    Attention.DEFAULT);
        }

        @Override
        public Call prepare(LayerInputs inputs) {
            LayerShape shape = inputs.shape();
            MultiHeadAttention layer = MultiHeadAttention.builder()
                    .heads(shape.heads())
                    .keyDim(shape.headDim())
                    .build(engine());
            layer.load(inputs.layerWeights());
            return new TensorCall(() -> layer.call(inputs.input(), inputs.input()), layer::close);
        }
    }

    /**
     * A projection as layers on an engine compute it: the input is on the host, the result stays where attention needs it.
     */
    private static final class ProjectionContender implements Contender<ProjectionInputs> {
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
                    () -> projector.toHeads(inputs.input(), List.of(projection)).get(0), projection::close);
        }

        @Override
        public void close() {
            engine.close();
        }
    }
}
