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
     * {@return the engines of this family that this machine can open now; empty if there are none. Never throws for a
     * missing driver}
     */
    List<EngineInfo> engines();

    /**
     * Opens one of {@link #engines()}.
     *
     * @throws IllegalArgumentException if the engine has no such plan
     * @throws DeviceException if the device cannot be opened
     */
    AttentionEngine open(EngineInfo info, EngineOptions options);

    /** {@return the reason why this family has no engine here, and the fix; empty if it has one} */
    default Optional<Absence> absence() {
        return Optional.empty();
    }

    /**
     * The reason why there is no engine.
     *
     * @param cause the finding, one sentence
     * @param fix the command to run or the package to install, one line
     */
    record Absence(String cause, String fix) {}
}
