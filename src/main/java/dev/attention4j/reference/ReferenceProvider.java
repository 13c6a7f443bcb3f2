package dev.attention4j.reference;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import java.util.List;
import java.util.Optional;

/** Offers the oracle, which is always there. */
public final class ReferenceProvider implements EngineProvider {
    @Override
    public List<EngineInfo> engines() {
        return List.of(ReferenceEngine.INFO);
    }

    @Override
    public AttentionEngine open(EngineInfo info, EngineOptions options) {
        return new ReferenceEngine(options);
    }

    @Override
    public Optional<Absence> absence() {
        return Optional.empty();
    }
}
