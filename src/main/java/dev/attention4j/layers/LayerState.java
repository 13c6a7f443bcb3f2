package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.layers.LayerOptions.Widths;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A layer's weights. Until it is trained, as they were loaded and as the engine's projections read them; then also as tensors
 * where the engine computes, which an optimizer changes. Read under the layer's shared lock, changed under its exclusive one.
 */
final class LayerState implements AutoCloseable {
    final Widths widths;
    private final AttentionEngine engine;
    private final LayerWeights loaded;
    private Projections projections;
    /** Null until the layer is trained, as is what follows. */
    private Map<String, Tensor> tensors;

    private Projections transposed;
    /** The number of steps so far, by which a tape knows whether the weights are still those of its call. */
    private long version;
    /** True if the tensors have changed since the projections were made of them, by a step that failed. */
    private boolean stale;

    LayerState(AttentionEngine engine, Widths widths, LayerWeights loaded) {
        this.engine = engine;
        this.widths = widths;
        this.loaded = loaded;
        projections = Projections.of(engine.projector(), loaded.tensors());
    }

    Projections projections() {
        return projections;
    }

    /** Returns the projections of the backward pass; after {@link #train}. */
    Projections transposed() {
        return transposed;
    }

    /** Returns every weight by name, where the engine computes; after {@link #train}. */
    Map<String, Tensor> tensors() {
        return tensors;
    }

    long version() {
        return version;
    }

    boolean isTrained() {
        return transposed != null;
    }

    boolean isStale() {
        return stale;
    }

    /** Makes what training needs, once. */
    void train() {
        if (isTrained()) {
            return;
        }
        Map<String, Tensor> uploaded = new LinkedHashMap<>();
        try {
            loaded.tensors().forEach((name, weight) -> uploaded.put(name, engine.upload(weight)));
            transposed = Projections.transposed(engine.projector(), uploaded);
        } catch (RuntimeException | Error e) {
            uploaded.values().forEach(Tensor::close);
            throw e;
        }
        tensors = uploaded;
    }

    /** Makes the projections of the tensors anew, if a step has changed these. */
    void refresh() {
        if (!stale) {
            return;
        }
        Projections forward = Projections.of(engine.projector(), tensors);
        Projections backward;
        try {
            backward = Projections.transposed(engine.projector(), tensors);
        } catch (RuntimeException | Error e) {
            forward.close();
            throw e;
        }
        projections.close();
        transposed.close();
        projections = forward;
        transposed = backward;
        stale = false;
    }

    /** Changes the tensors, and makes the projections of them. */
    void change(Runnable step) {
        stale = true;
        version++;
        step.run();
        refresh();
    }

    /** Returns the weights as they are now, on the host. */
    LayerWeights weights() {
        if (version == 0) {
            return loaded;
        }
        Map<String, Tensor> now = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> now.put(name, engine.download(tensor)));
        return LayerWeights.of(now);
    }

    @Override
    public void close() {
        projections.close();
        if (isTrained()) {
            transposed.close();
            tensors.values().forEach(Tensor::close);
        }
    }

    @Override
    public String toString() {
        return loaded + (version == 0 ? "" : ", changed by " + version + " steps");
    }
}
