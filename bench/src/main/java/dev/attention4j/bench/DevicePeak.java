package dev.attention4j.bench;

import dev.attention4j.measure.Timing;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * How fast a device does nothing but what bounds a shape: reading as many bytes as a decoding step's keys and values are,
 * multiply-adds for everything else. It takes turns with the contenders, because a device that they keep busy may give less
 * than when it was idle: memory's speed drifts, and processors lower their clock under load.
 */
final class DevicePeak implements AutoCloseable {
    private final DeviceContext context;
    private final Roofline.Load load;
    private final boolean isRead;
    private final List<Double> turns = new ArrayList<>();

    private DevicePeak(ClDevice device, boolean isRead, Function<DeviceContext, Roofline.Load> prepare) {
        context = DeviceContext.open(device, null);
        this.isRead = isRead;
        try {
            load = prepare.apply(context);
            load.run();
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }

    /**
     * Prepares a plain read and warms it up.
     *
     * @param bytes of the buffer, rounded down to what work-items share evenly
     */
    static DevicePeak ofReading(ClDevice device, long bytes) {
        return new DevicePeak(device, true, context -> Roofline.Read.prepare(context, bytes));
    }

    /** Prepares multiply-adds in registers and warms them up. */
    static DevicePeak ofMultiplyAdds(ClDevice device) {
        return new DevicePeak(device, false, Roofline.MultiplyAdds::prepare);
    }

    /** Runs for as long as a contender's turn takes. */
    void turn() {
        double total = 0;
        int runs = 0;
        while (total < RoundTiming.TURN_MS) {
            total += load.run();
            runs++;
        }
        turns.add(load.amount() * runs / total / 1e6);
    }

    /** Of a read the median of the turns, 10⁹ bytes a second; NaN of multiply-adds and before the first turn. */
    double readGbPerS() {
        return isRead ? median() : Double.NaN;
    }

    /** Of multiply-adds the median of the turns, GFLOP/s; NaN of a read and before the first turn. */
    double multiplyAddGflops() {
        return isRead ? Double.NaN : median();
    }

    private double median() {
        return turns.isEmpty()
                ? Double.NaN
                : Timing.median(turns.stream().mapToDouble(Double::doubleValue).toArray());
    }

    @Override
    public void close() {
        load.release();
        context.close();
    }
}
