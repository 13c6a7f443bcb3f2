package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.opencl.runtime.ClDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The kit's grid on one engine, tensors on its device: what a GPU's time is compared by. Without {@code --grid} the
 * rooflines alone. The file is written anew, whole, after each case, so that a run that is stopped early leaves what there
 * is.
 */
@Command(
        name = "KitGrid",
        description = "Times an engine's device-resident calls over a grid of shapes, within a given time.",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success, or out of time", "1:a case failed or was wrong", "2:bad usage or input"})
public final class KitGrid implements Callable<Integer> {
    @Option(
            names = "--grid",
            paramLabel = "FILE",
            description = "A storage type and a shape a line. Default: none, only the devices' rooflines.")
    private Path grid;

    @Option(names = "--json", paramLabel = "FILE", required = true, description = "Write the figures there.")
    private Path json;

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = Engines.BEST,
            description =
                    "The engine: best, an index or id as 'devices' prints it, or a part of its name. Default: best.")
    private String device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description = "A plan's name, auto for what the engine chooses itself, or others for every plan that it"
                    + " does not choose itself. Default: auto.")
    private String plan;

    @Option(
            names = "--max-seconds",
            paramLabel = "N",
            defaultValue = "120",
            description = "Begin nothing that would not end within this time. Default: 120.")
    private double maxSeconds;

    private final Map<String, Object> report = new LinkedHashMap<>();
    private final List<Object> results = new ArrayList<>();
    private boolean failed;

    private KitGrid() {}

    /** Times the grid and ends the JVM with its exit code. */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    /** As {@link #main}, but gives the exit code. */
    static int run(String... args) {
        return new CommandLine(new KitGrid())
                .setExecutionExceptionHandler((e, command, parsed) -> {
                    command.getErr().println("KitGrid: " + RoundTiming.message(e));
                    return Launch.BAD_INPUT;
                })
                .execute(args);
    }

    @Override
    public Integer call() throws IOException {
        long end = System.nanoTime() + (long) (1e9 * maxSeconds);
        if (grid == null) {
            return rooflines();
        }
        List<KitCase> cases = KitCase.read(grid);
        EngineInfo info = Engines.resolve(device);
        report.put("device", info.name());
        report.put("driver", info.driver());
        report.put("engine", info.id());
        report.put("plan", plan);
        report.put(
                "timing",
                "kernel_ms: sum of a call's kernels by the device's clock; median_ms: a whole call, waited for, by the"
                        + " host's clock; inputs and output in device memory; gflops by kernel_ms where there is one");
        report.put("status", "stopped");
        report.put("results", results);
        write();
        System.out.println(info.id() + "  " + info.name() + ", " + info.driver());
        boolean over = false;
        for (String name : plans(info)) {
            try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(name));
                    AttentionEngine chooser = Engines.open(info.id(), EngineOptions.DEFAULT)) {
                over |= time(engine, name, chooser, cases, end);
            }
        }
        report.put("status", over ? "out_of_time" : "complete");
        write();
        return failed ? Compare.ENGINE_FAILED : Compare.OK;
    }

    private List<String> plans(EngineInfo info) {
        if (!plan.equals("others")) {
            return List.of(plan);
        }
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT)) {
            return engine.plans();
        }
    }

    /** True if time ran out before the last case. */
    private boolean time(AttentionEngine engine, String name, AttentionEngine chooser, List<KitCase> cases, long end)
            throws IOException {
        ResidentTiming timing = new ResidentTiming(engine, end);
        for (KitCase kitCase : cases) {
            if (timing.isOver()) {
                return true;
            }
            if (plan.equals("others")
                    && EngineWithPlan.takes(chooser, name, kitCase.shape().problem(kitCase.dtype()))) {
                continue;
            }
            Map<String, Object> entry = timing.run(kitCase);
            entry.putIfAbsent("plan", name);
            results.add(entry);
            failed |= "failed".equals(entry.get("outcome"));
            System.out.println(line(kitCase, entry));
            write();
        }
        return false;
    }

    private static String line(KitCase kitCase, Map<String, Object> entry) {
        return "timed".equals(entry.get("outcome"))
                ? String.format(
                        Locale.ROOT,
                        "%-44s %-10s %10.3f ms  kernels %10s ms  %10.1f GFLOP/s  error %.1e",
                        kitCase,
                        entry.get("plan"),
                        KitReport.number(entry, "median_ms"),
                        entry.get("kernel_ms"),
                        KitReport.number(entry, "gflops"),
                        KitReport.number(entry, "max_error"))
                : String.format(
                        "%-44s %-10s %s: %s", kitCase, entry.get("plan"), entry.get("outcome"), entry.get("reason"));
    }

    private int rooflines() throws IOException {
        int code = Compare.OK;
        for (EngineInfo info : Engines.list()) {
            if (!info.isOpenCl() || info.kind() == EngineInfo.Kind.EMULATOR) {
                continue;
            }
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("engine", info.id());
            entry.put("device", info.name());
            try {
                ClDevice opened = Roofline.device(info).orElseThrow();
                Roofline roofline = Roofline.measure(opened);
                entry.put("multiply_add_gflops", Figures.rounded(roofline.multiplyAddGflops()));
                entry.put("copy_gb_per_s", Figures.rounded(roofline.copyGbPerS()));
                entry.put("read_gb_per_s", Figures.rounded(roofline.readGbPerS()));
                System.out.printf(
                        Locale.ROOT,
                        "%s  multiply-add peak %.0f GFLOP/s, copy %.1f GB/s, read %.1f GB/s%n",
                        info.id(),
                        roofline.multiplyAddGflops(),
                        roofline.copyGbPerS(),
                        roofline.readGbPerS());
                if (MatrixUnits.concern(opened)) {
                    Map<String, Object> found = MatrixUnits.measure(opened);
                    entry.put("matrix_units", found);
                    found.forEach((name, what) -> System.out.println("  " + name + " " + what));
                }
            } catch (RuntimeException e) {
                entry.put("reason", RoundTiming.message(e));
                System.out.println(info.id() + "  the peak cannot be measured: " + RoundTiming.message(e));
                code = Compare.ENGINE_FAILED;
            }
            results.add(entry);
        }
        if (results.isEmpty()) {
            System.out.println("no OpenCL device: nothing to measure");
        }
        report.put("results", results);
        write();
        return code;
    }

    private void write() throws IOException {
        WholeFile.writeJson(json, report);
    }
}
