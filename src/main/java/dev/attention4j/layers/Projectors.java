package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.ProjectingEngine;
import dev.attention4j.Projector;
import dev.attention4j.cpu.CpuProjector;

/** Where a layer on an engine is projected. */
final class Projectors {
    private Projectors() {}

    /** The engine's own projector, else plain Java, which reads and writes host memory as every engine does. */
    static Projector of(AttentionEngine engine) {
        return engine instanceof ProjectingEngine projecting ? projecting.projector() : CpuProjector.get();
    }
}
