package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.EngineProvider;
import dev.attention4j.Engines;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Option;

/** {@code --device}: where to compute. */
final class DeviceOption {
    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = Engines.BEST,
            description = "Where to compute: best, an index or id as 'devices' prints it,"
                    + " a part of a device's name, cpu or oracle. Default: best.")
    private String device;

    /**
     * The engine that was asked for.
     *
     * @throws IllegalArgumentException if it is none, or not just one
     */
    EngineInfo choose() {
        if (device.equals(ConformanceCommand.ALL)) {
            throw new IllegalArgumentException("--device all: only 'conformance' takes all; name one device");
        }
        return Engines.resolve(device);
    }

    /** Says where OpenCL is missing and how to get it, if that is why the CPU was chosen. */
    void explainFallback(EngineInfo chosen, PrintWriter to) {
        if (!device.equals(Engines.BEST) || chosen.isOpenCl()) {
            return;
        }
        List<EngineProvider.Absence> absences = Engines.absences();
        to.println("No OpenCL device was found, so the " + chosen.id() + " computes.");
        explain(absences, to);
    }

    /** Prints cause and fix of each. */
    static void explain(List<EngineProvider.Absence> absences, PrintWriter to) {
        for (EngineProvider.Absence absence : absences) {
            to.println(Text.labelled("  why", 7, absence.cause()));
            // Never wrapped: it is there to be copied.
            to.println("  fix  " + absence.fix());
        }
    }
}
