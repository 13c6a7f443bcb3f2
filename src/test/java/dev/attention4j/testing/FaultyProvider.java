package dev.attention4j.testing;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Engines that do all that a driver should not; only a JVM whose class path has its service file knows them. Of a kind
 * whose plans several children share.
 */
public final class FaultyProvider implements EngineProvider {
    public static final EngineInfo FAULTY = new EngineInfo(
            "faulty", EngineInfo.Kind.OPENCL_CPU, "an engine with faults", "tests", "<none>", Map.of("faults", 3));
    public static final EngineInfo LOST = new EngineInfo(
            "lost", EngineInfo.Kind.OPENCL_CPU, "an engine that does not open", "tests", "none", Map.of());
    public static final int LOST_EXIT_CODE = 17;

    @Override
    public List<EngineInfo> engines() {
        return List.of(FAULTY, LOST);
    }

    @Override
    public AttentionEngine open(EngineInfo info, EngineOptions options) {
        if (info.id().equals(LOST.id())) {
            Runtime.getRuntime().halt(LOST_EXIT_CODE);
        }
        return new FaultyEngine(options);
    }

    @Override
    public Optional<Absence> absence() {
        return Optional.empty();
    }
}
