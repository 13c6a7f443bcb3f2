package dev.attention4j;

import java.util.List;
import java.util.Optional;

/**
 * A family of engines, found through {@link java.util.ServiceLoader}: OpenCL, plain Java, the oracle.
 *
 * <p>The root package knows families by this interface alone, so that a caller's types depend on no implementation.
 */
public interface EngineProvider {
    /**
     * {@return the engines of this family that this machine can open now; empty if there are none, never throws for
     * a missing driver}
     */
    List<EngineInfo> engines();

    /**
     * Opens one of {@link #engines()}.
     *
     * @param info which
     * @param options how
     * @return an open engine
     * @throws IllegalArgumentException if the engine has no such plan
     * @throws DeviceException if the device cannot be opened
     */
    AttentionEngine open(EngineInfo info, EngineOptions options);

    /** {@return why this family has no engine here, and how to get one; empty if it has one} */
    default Optional<Absence> absence() {
        return Optional.empty();
    }

    /**
     * Why there is no engine.
     *
     * @param cause what was found, one sentence
     * @param fix what to run or install, one line
     */
    record Absence(String cause, String fix) {}
}
