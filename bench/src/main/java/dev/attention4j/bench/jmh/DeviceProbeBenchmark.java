package dev.attention4j.bench.jmh;

import dev.attention4j.opencl.probe.DeviceProbe;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import java.util.List;

/** {@code probe/device_probe.cl}: what a launch costs that computes next to nothing. The shape says nothing here. */
public class DeviceProbeBenchmark extends KernelBenchmark {
    private DeviceContext context;

    /** Names the kernel. */
    public DeviceProbeBenchmark() {
        super("device_probe", "");
    }

    @Override
    void open(String given) {
        List<ClDevice> devices = Devices.find().devices();
        context = DeviceContext.open(
                engine.equals("best")
                        ? devices.get(0)
                        : devices.stream()
                                .filter(device -> device.name().contains(engine))
                                .findFirst()
                                .orElseThrow(() -> new IllegalArgumentException("engine: \"" + engine
                                        + "\", must be best or a part of one of the names " + devices)),
                null);
        launch();
    }

    @Override
    public void close() {
        context.close();
    }

    @Override
    void profileInto(List<ClEvent> events) {
        context.queue().profileInto(events);
    }

    @Override
    void launch() {
        DeviceProbe.checkArithmetic(context);
    }
}
