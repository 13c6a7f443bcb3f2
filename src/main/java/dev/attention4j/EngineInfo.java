package dev.attention4j;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * An engine that can be opened, and the facts about its device.
 *
 * @param id a short unique name: {@code cpu}, {@code oracle}, {@code opencl:0}
 * @param kind the kind of device
 * @param name the device's name as its maker gives it
 * @param vendor the maker of the device's driver
 * @param driver the driver's version
 * @param facts more facts, in the order to print: name → value with its unit
 */
public record EngineInfo(String id, Kind kind, String name, String vendor, String driver, Map<String, Object> facts) {
    /** The kind of device of an engine, best first: the order in which {@link AttentionEngine#open()} searches. */
    public enum Kind {
        /** An OpenCL GPU. */
        GPU,
        /** An OpenCL accelerator that is neither GPU nor CPU. */
        ACCELERATOR,
        /** A CPU, by an OpenCL driver. */
        OPENCL_CPU,
        /** A CPU, by plain Java. */
        CPU,
        /** An OpenCL device in software, made for testing rather than for speed. */
        EMULATOR,
        /** The double-precision reference: right, and slow. */
        ORACLE
    }

    /** Copies the facts. */
    public EngineInfo {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(name, "name");
        facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    }

    /** {@return true for an OpenCL device, false for the plain Java engines} */
    public boolean isOpenCl() {
        return kind != Kind.CPU && kind != Kind.ORACLE;
    }
}
