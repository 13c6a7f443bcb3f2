package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.bench.peer.Peers;
import java.util.ArrayList;
import java.util.List;
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
     * @param threads how many a peer may use
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
            // A plan is the device's; the CPU beside it has its own.
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
}
