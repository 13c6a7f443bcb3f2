package dev.attention4j.testing;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tuning;
import dev.attention4j.spi.TestOption;
import java.util.List;
import java.util.function.Predicate;

/** The engines that tests run on: every one that is found, and a failure where there is no OpenCL device. */
public final class TestEngines {
    private TestEngines() {}

    /**
     * All but the oracle.
     *
     * @return at least the CPU and one OpenCL device
     */
    public static List<EngineInfo> underTest() {
        openCl();
        return list(info -> info.kind() != EngineInfo.Kind.ORACLE);
    }

    /**
     * The OpenCL devices.
     *
     * @return at least one
     */
    public static List<EngineInfo> openCl() {
        List<EngineInfo> devices = list(EngineInfo::isOpenCl);
        if (devices.isEmpty()) {
            throw new AssertionError("No OpenCL device: a GPU test that is skipped is a GPU test that does not exist. "
                    + Engines.absences());
        }
        return devices;
    }

    /**
     * The OpenCL devices that are quick enough for many problems.
     *
     * @return at least one
     */
    public static List<EngineInfo> quickOpenCl() {
        openCl();
        List<EngineInfo> devices = list(info -> info.isOpenCl() && info.kind() != EngineInfo.Kind.EMULATOR);
        if (devices.isEmpty()) {
            throw new AssertionError("No OpenCL device but emulators: install pocl-opencl-icd");
        }
        return devices;
    }

    private static List<EngineInfo> list(Predicate<EngineInfo> wanted) {
        return Engines.list().stream().filter(wanted).toList();
    }

    /**
     * The plans of an engine that launch kernels.
     *
     * @param engine open
     * @return all but {@code host}
     */
    public static List<String> kernelPlans(AttentionEngine engine) {
        return engine.plans().stream().filter(plan -> !plan.equals("host")).toList();
    }

    /**
     * Options for tests: device memory is poisoned, so that every call is the device's, and nothing that was tuned is used. Built kernels are not kept either,
     * as the build file says.
     *
     * @return to be changed further
     */
    public static EngineOptions options() {
        return EngineOptions.DEFAULT.with(TestOption.POISON, true).withTuning(Tuning.OFF);
    }

    /**
     * Opens an engine with {@link #options()}.
     *
     * @param info which
     * @return to be closed by the caller
     */
    public static AttentionEngine open(EngineInfo info) {
        return Engines.open(info.id(), options());
    }
}
