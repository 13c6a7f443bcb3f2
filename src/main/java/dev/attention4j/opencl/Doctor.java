package dev.attention4j.opencl;

import java.util.List;

/** Finds out why OpenCL does not work on this machine. */
public final class Doctor {
    private Doctor() {}

    /**
     * Examines this machine, from the native library up to a kernel's result.
     *
     * @return the checks in the order examined
     */
    public static List<Check> examine() {
        return List.of(new Check(
                "OpenCL engine",
                false,
                "this build has no OpenCL engine",
                "take a build of attention4j that has the package dev.attention4j.opencl"));
    }

    /**
     * One thing examined.
     *
     * @param what what was examined
     * @param ok whether it is as it must be
     * @param found what was found
     * @param fix what to do, empty if ok
     */
    public record Check(String what, boolean ok, String found, String fix) {}
}
