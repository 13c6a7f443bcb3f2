package dev.attention4j.cli;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.Engines;
import dev.attention4j.expression.Spelling;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** {@code --device}: where to compute. */
final class DeviceOption {
    /** Names every engine, for the command that takes more than one. */
    static final String ALL = "all";

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = Engines.BEST,
            description = "The engine: best, an index or id as 'devices' prints it,"
                    + " a part of a device's name, cpu or oracle. Default: best.")
    private String device;

    /** The engine that was asked for. */
    EngineInfo choose() {
        if (device.equals(ALL)) {
            throw new IllegalArgumentException("--device: all, must be one device; only 'conformance' takes all");
        }
        return resolve(device);
    }

    /** The engine that a text names. */
    static EngineInfo resolve(String device) {
        try {
            return Engines.resolve(device);
        } catch (IllegalArgumentException e) {
            List<String> names = new ArrayList<>(List.of(Engines.BEST));
            Engines.list().forEach(info -> names.add(info.id()));
            String meant = Spelling.nearest(device, names)
                    .map(name -> "\nDid you mean " + name + "?")
                    .orElse("");
            throw new IllegalArgumentException("--" + e.getMessage() + meant, e);
        }
    }

    /** Opens an engine with a plan, and suggests another if it has no such plan. */
    AttentionEngine open(EngineInfo info, String plan) {
        try {
            return Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(plan));
        } catch (IllegalArgumentException e) {
            if (!String.valueOf(e.getMessage()).startsWith("plan: ")) {
                throw e;
            }
            try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT)) {
                throw new IllegalArgumentException(
                        "--" + e.getMessage() + Suggestion.question(plan, engine.plans()), e);
            }
        }
    }

    /** As {@link #explainFallback(String, EngineInfo, PrintWriter)}. */
    void explainFallback(EngineInfo chosen, PrintWriter to) {
        explainFallback(device, chosen, to);
    }

    /** Says why the CPU computes and how to get OpenCL, if the best was asked for and that is not an OpenCL device. */
    static void explainFallback(String device, EngineInfo chosen, PrintWriter to) {
        if (!device.equals(Engines.BEST) || chosen.isOpenCl()) {
            return;
        }
        boolean emulator = Engines.list().stream().anyMatch(EngineInfo::isOpenCl);
        to.println((emulator ? "There is no OpenCL device but an emulator" : "There is no OpenCL device here") + ": "
                + chosen.id() + " computes.");
        explain(Engines.absences(), to);
    }

    /** Prints cause and fix of each. */
    static void explain(List<EngineProvider.Absence> absences, PrintWriter to) {
        for (EngineProvider.Absence absence : absences) {
            to.println(Text.labelled("  why", 7, absence.cause()));
            to.println(Text.labelled("  fix", 7, absence.fix()));
        }
    }
}
