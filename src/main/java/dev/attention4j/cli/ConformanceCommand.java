package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.conformance.BuiltInCases;
import dev.attention4j.conformance.CaseOutcome;
import dev.attention4j.conformance.CaseSource;
import dev.attention4j.conformance.ConformanceSuite;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code conformance}: cases with known results, on each engine. */
@Command(
        name = "conformance",
        description = {
            "Runs cases with known results on an engine, or on all.",
            "Prints a line for each failure and, last, 'N passed, N failed'."
        })
final class ConformanceCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--cases",
            paramLabel = "DIR",
            description = "Every *.safetensors under DIR is a case. Default: the built-in cases.")
    private Path cases;

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = Engines.BEST,
            description = "Where to compute: all, best, an index or id as 'devices' prints it,"
                    + " a part of a device's name, cpu or oracle. Default: best.")
    private String device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description = "How engines compute: auto, one plan's name, or all for each plan in turn. Default: auto.")
    private String plan;

    @Option(names = "--json", paramLabel = "FILE", description = "Also write every outcome to FILE as JSON.")
    private Path json;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        OutputFile.check("--json", json);
        List<EngineInfo> engines = device.equals(DeviceOption.ALL) ? Engines.list() : List.of(Engines.resolve(device));
        List<CaseSource> sources = cases == null ? BuiltInCases.all() : ConformanceSuite.find(cases);
        ConformanceSuite suite = ConformanceSuite.of(sources, engines, plan, EngineOptions.DEFAULT);
        if (engines.size() == 1) {
            DeviceOption.explainFallback(
                    device, engines.get(0), spec.commandLine().getErr());
        }
        out.println(sources.size() + (sources.size() == 1 ? " case" : " cases") + " on: "
                + String.join(", ", suite.runs()));

        List<CaseOutcome> outcomes = new ArrayList<>();
        List<String> waiting = new ArrayList<>();
        ConformanceSuite.Totals totals;
        try (Progress progress = Progress.start("conformance", suite.size())) {
            totals = suite.run(outcome -> {
                outcomes.add(outcome);
                if (outcome.status() == CaseOutcome.Status.FAILED) {
                    waiting.add(outcome.toString());
                    progress.say(waiting.size() + " failed");
                }
                progress.step();
                // A line would tear the bar; without a bar nobody should wait for it.
                if (!progress.isShown()) {
                    print(waiting, out);
                }
            });
        }
        print(waiting, out);
        summary(outcomes, CaseOutcome.Status.SKIPPED, "skipped", out);
        summary(outcomes, CaseOutcome.Status.PASSED, "passed in part", out);
        if (json != null) {
            JsonFile.write(json, all(suite, totals, outcomes));
            out.println("Written to " + json);
        }
        if (totals.passed() + totals.failed() == 0) {
            out.println("Nothing was checked: this version knows none of these cases.");
        }
        out.println(totals.passed() + " passed, " + totals.failed() + " failed");
        return totals.succeeded() ? Main.OK : Main.CHECK_FAILED;
    }

    private static void print(List<String> lines, PrintWriter out) {
        for (String line : lines) {
            out.println(line.replaceAll("\\R\\s*", " "));
        }
        lines.clear();
    }

    /** One line for each reason. */
    private static void summary(List<CaseOutcome> outcomes, CaseOutcome.Status status, String called, PrintWriter out) {
        Map<String, Integer> reasons = new TreeMap<>();
        for (CaseOutcome outcome : outcomes) {
            if (outcome.status() == status && !outcome.detail().isEmpty()) {
                reasons.merge(outcome.detail(), 1, Integer::sum);
            }
        }
        reasons.forEach((reason, count) -> out.println(count + " " + called + ": " + reason));
    }

    private static Map<String, Object> all(
            ConformanceSuite suite, ConformanceSuite.Totals totals, List<CaseOutcome> outcomes) {
        List<Object> list = new ArrayList<>();
        for (CaseOutcome outcome : outcomes) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("case", outcome.caseName());
            entry.put("engine", outcome.engine());
            entry.put("plan", outcome.plan());
            entry.put("status", outcome.status().name().toLowerCase(Locale.ROOT));
            entry.put("max_error", outcome.maxError());
            entry.put("detail", outcome.detail());
            list.add(entry);
        }
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("version", Version.number());
        all.put("runs", suite.runs());
        all.put("passed", totals.passed());
        all.put("failed", totals.failed());
        all.put("skipped", totals.skipped());
        all.put("outcomes", list);
        return all;
    }
}
