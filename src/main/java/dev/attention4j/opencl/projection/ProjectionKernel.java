package dev.attention4j.opencl.projection;

import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;

/** A way to compute projections on a class of devices. */
public interface ProjectionKernel {
    /**
     * The one that suits a device.
     *
     * @param context open
     * @return used under the engine's lock
     */
    static ProjectionKernel of(DeviceContext context) {
        return context.device().type() == ClDevice.Type.CPU ? ProjectRows.of(context) : ProjectTiles.of(context);
    }

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
