package dev.attention4j.bench;

import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.tuner.Median;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/**
 * How fast a device reads as many bytes as a decoding step's keys and values are: the limit that such a step can come
 * near. Read in turns with the contenders, since memory's speed drifts more than a processor's.
 */
final class MemoryRead implements AutoCloseable {
    private final DeviceContext context;
    private final Roofline.Read read;
    private final long bytes;
    private final List<Double> turns = new ArrayList<>();

    /**
     * Prepares it and warms it up.
     *
     * @param device of {@link dev.attention4j.opencl.runtime.Devices#find()}
     * @param bytes of the buffer, rounded down to what work-items share evenly
     */
    MemoryRead(ClDevice device, long bytes) {
        context = DeviceContext.open(device, null);
        try {
            read = Roofline.Read.prepare(context, bytes);
            this.bytes = read.bytes();
            read.run();
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }

    /** Reads for as long as a contender's turn takes. */
    void turn() {
        double total = 0;
        int reads = 0;
        while (total < Contest.TURN_MS) {
            total += read.run();
            reads++;
        }
        turns.add(bytes * reads / total / 1e6);
    }

    /** The median of the turns, 10⁹ bytes a second; empty before the first. */
    OptionalDouble gbPerS() {
        return turns.isEmpty()
                ? OptionalDouble.empty()
                : OptionalDouble.of(Median.of(
                        turns.stream().mapToDouble(Double::doubleValue).toArray()));
    }

    @Override
    public void close() {
        for (ClBuffer buffer : read.buffers()) {
            context.pool().release(buffer);
        }
        context.close();
    }
}
