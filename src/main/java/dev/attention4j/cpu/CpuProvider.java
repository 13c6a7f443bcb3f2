package dev.attention4j.cpu;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import java.util.List;
import java.util.Optional;

/** Offers the CPU by plain Java, which is always there. */
public final class CpuProvider implements EngineProvider {
    @Override
    public List<EngineInfo> engines() {
        return List.of(CpuEngine.INFO);
    }

    @Override
    public AttentionEngine open(EngineInfo info, EngineOptions options) {
        return new CpuEngine(options);
    }

    @Override
    public Optional<Absence> absence() {
        return Optional.empty();
    }
}
