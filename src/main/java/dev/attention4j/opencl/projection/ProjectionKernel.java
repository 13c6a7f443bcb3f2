package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.machine.Warnings;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.tuning.TuningDatabase;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A way to compute projections on a class of devices. */
public interface ProjectionKernel {
    /**
     * The one that suits a device's class, by the tiling that was measured to be fast there if there is one.
     *
     * @param context open
     * @param tuning what was measured on the device
     * @return used under the engine's lock
     */
    static ProjectionKernel of(DeviceContext context, TuningDatabase tuning) {
        Optional<TuningDatabase.Found> tuned = tuning.fastestProjection();
        if (tuned.isPresent()) {
            try {
                return of(context, tuned.get().entry().variant());
            } catch (IllegalArgumentException e) {
                Logger log = LoggerFactory.getLogger(ProjectionKernel.class);
                Warnings.once(log, "Projections: what was " + tuned.get() + " is not used: " + e.getMessage());
            }
        }
        return untuned(context);
    }

    /**
     * A given kernel by a given tiling.
     *
     * @param context open
     * @param variant one of {@link #variants}, say
     * @return used under the engine's lock
     * @throws IllegalArgumentException if it is another kernel than the device class's, or the tiling does not fit
     */
    static ProjectionKernel of(DeviceContext context, Variant variant) {
        String name = isOfCpuClass(context) ? ProjectRows.NAME : ProjectTiles.NAME;
        if (!variant.plan().equals(name)) {
            throw new IllegalArgumentException("kernel: \"" + variant.plan() + "\", must be " + name + " here");
        }
        return isOfCpuClass(context)
                ? ProjectRows.of(context, variant.tunables())
                : ProjectTiles.of(context, variant.tunables());
    }

    /**
     * What is worth timing on a device.
     *
     * @param context open
     * @return first what the device gets if nothing is known of it, then other tilings that fit
     */
    static List<Variant> variants(DeviceContext context) {
        Set<Variant> variants = new LinkedHashSet<>();
        Variant first = untuned(context).variant();
        variants.add(first);
        List<Tunables> candidates = isOfCpuClass(context)
                ? ProjectRows.candidates(context.device())
                : ProjectTiles.candidates(context.device());
        candidates.forEach(tunables -> variants.add(new Variant(first.plan(), tunables)));
        return List.copyOf(variants);
    }

    private static ProjectionKernel untuned(DeviceContext context) {
        return isOfCpuClass(context) ? ProjectRows.of(context) : ProjectTiles.of(context);
    }

    private static boolean isOfCpuClass(DeviceContext context) {
        return context.device().isCpuClass();
    }

    /**
     * Which kernel it is, and by which tiling.
     *
     * @return the tiling tried first, where a smaller one may take its place
     */
    Variant variant();

    /**
     * How many columns of the weights lie beside each other, see {@link PackedWeights}.
     *
     * @return the same for all calls
     */
    int panel();

    /**
     * Enqueues all of a call; waits for nothing. Called under the engine's lock.
     *
     * @param call with weights packed in panels of {@link #panel()} columns
     */
    void enqueue(ProjectionCall call);
}
