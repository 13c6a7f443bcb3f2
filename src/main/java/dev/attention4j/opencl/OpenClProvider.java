package dev.attention4j.opencl;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.opencl.machine.RegisteredDrivers;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Offers an engine for each OpenCL device. */
public final class OpenClProvider implements EngineProvider {
    private Devices.Search search;

    /** Searches at the first call: a caller that opens another engine by its name must not get drivers into the process. */
    private synchronized Devices.Search search() {
        if (search == null) {
            search = Devices.find();
        }
        return search;
    }

    @Override
    public List<EngineInfo> engines() {
        return search().devices().stream().map(OpenClProvider::info).toList();
    }

    @Override
    public AttentionEngine open(EngineInfo info, EngineOptions options) {
        for (ClDevice device : search().devices()) {
            if (id(device).equals(info.id())) {
                return new OpenClEngine(info, device, options);
            }
        }
        throw new IllegalArgumentException("device: " + info.id() + " is not there");
    }

    @Override
    public Optional<Absence> absence() {
        Devices.Search made = search();
        return made.status() == Devices.Status.FOUND
                ? made.whyNoRusticl().map(cause -> new Absence(cause, RegisteredDrivers.RUSTICL_FIX))
                : Optional.of(new Absence("OpenCL cannot be used: " + made.found() + ".", Doctor.fix(made)));
    }

    static String id(ClDevice device) {
        return "opencl:" + device.index();
    }

    static EngineInfo info(ClDevice device) {
        EngineInfo.Kind kind;
        if (device.isEmulator()) {
            kind = EngineInfo.Kind.EMULATOR;
        } else {
            kind = switch (device.type()) {
                case GPU -> EngineInfo.Kind.GPU;
                case CPU -> EngineInfo.Kind.OPENCL_CPU;
                case ACCELERATOR -> EngineInfo.Kind.ACCELERATOR;
            };
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("platform", device.platformName());
        facts.put("platform version", device.platformVersion());
        facts.put("device version", device.version());
        facts.put("OpenCL C", device.languageVersion());
        facts.put("type", device.type().name());
        facts.put("compute units", device.computeUnits());
        facts.put("clock (MHz)", device.clockMegahertz());
        facts.put("memory (MiB)", device.globalMemoryBytes() >> 20);
        facts.put("largest allocation (MiB)", device.largestAllocationBytes() >> 20);
        facts.put("local memory (KiB)", device.localMemoryBytes() >> 10);
        facts.put("largest work-group", device.maxWorkGroupSize());
        facts.put("float vector width", device.nativeVectorWidth());
        facts.put("shares host memory", device.hostUnifiedMemory());
        facts.put("quirks", device.quirks().toString());
        facts.put("extensions", device.extensions());
        return new EngineInfo(id(device), kind, device.name(), device.vendor(), device.driverVersion(), facts);
    }
}
