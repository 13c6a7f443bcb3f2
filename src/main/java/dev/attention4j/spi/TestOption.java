package dev.attention4j.spi;

import dev.attention4j.EngineOptions;

/** Options for tests of engines. */
public enum TestOption implements EngineOptions.Extra {
    /**
     * Fills device memory with NaN before each use, so that a kernel that reads unwritten memory is found. Tiny problems go
     * to kernels too, even where the device is the host's processor.
     */
    POISON
}
