package dev.attention4j;

/**
 * An engine that does a layer's projections where it does attention, so that nothing between them leaves the device.
 */
public interface ProjectingEngine extends AttentionEngine {
    /**
     * The projections on this engine.
     *
     * @return the same each time; closed with the engine
     */
    Projector projector();
}
