package dev.attention4j.tuner;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.OpenClEngine;

/**
 * Two engines on one device.
 *
 * @param checked fills memory with NaN before each use, so that a kernel which writes nothing does not find the result
 *     of the one before it
 * @param timed is as fast as users have it
 */
record EnginePair(OpenClEngine checked, OpenClEngine timed) implements AutoCloseable {
    /**
     * Opens both.
     *
     * @param info an OpenCL device
     * @param plan a plan's name, or {@link EngineOptions#AUTO} for all
     */
    static EnginePair open(EngineInfo info, String plan) {
        EngineOptions options = EngineOptions.DEFAULT.withPlan(plan).withTuning(Tuning.SHIPPED);
        OpenClEngine checked = open(info, options.withPoison(true));
        try {
            return new EnginePair(checked, open(info, options));
        } catch (RuntimeException | Error e) {
            checked.close();
            throw e;
        }
    }

    private static OpenClEngine open(EngineInfo info, EngineOptions options) {
        AttentionEngine engine = Engines.open(info.id(), options);
        if (engine instanceof OpenClEngine openCl) {
            return openCl;
        }
        engine.close();
        throw new IllegalArgumentException("device: " + info.id() + " has one plan and nothing to tune");
    }

    @Override
    public void close() {
        timed.close();
        checked.close();
    }
}
