package dev.attention4j.cli;

import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.conformance.FileCases;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.suite.ConformanceRun;
import dev.attention4j.conformance.suite.Report;
import dev.attention4j.conformance.suite.Selection;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code conformance}: the built-in suite, or cases from files, on each engine. */
@Command(
        name = "conformance",
        description = {
            "Checks engines: by the built-in suite on every device and plan, or by"
                    + " files of cases with known results on one.",
            "Prints a line for each failure and the command that runs it again, a matrix of errors and, at the end,"
                    + " 'N passed, N failed'. Stopped by Ctrl-C, it reports what it found until then."
        },
        footer = {"", "Exits 1 if a case failed or none was run."})
final class ConformanceCommand implements Callable<Integer> {
    private static final String USUAL_LIMIT = "120";

    private static final List<String> PLANS =
            List.of("auto", "all", "rows", "decode", "tiles", "staged", "blocked", "loops");

    private boolean isFinished;

    @Option(
            names = "--cases",
            paramLabel = "DIR",
            description = "Every *.safetensors under DIR is a case. Default: the built-in suite.")
    private Path cases;

    @Option(names = "--case", paramLabel = "NAME", description = "Runs this case of the built-in suite alone.")
    private String only;

    @Option(
            names = "--quick",
            description = "Fewer random problems, and only the small ones of the peers' grids. On a CPU a"
                    + " minute with kernels to build, half of that once they are built; without it, up to ten.")
    private boolean quick;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description =
                    "Draws random problems and the parts of the peers' grids. Default: " + Selection.DEFAULT_SEED + ".")
    private Long seed;

    @Option(
            names = "--limit",
            paramLabel = "SECONDS",
            defaultValue = USUAL_LIMIT,
            description = "A case that takes longer counts as hung. Default: " + USUAL_LIMIT + ".")
    private int limit;

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "The engines: all, best, an index or id as 'devices' prints it,"
                    + " a part of a device's name, cpu or oracle. Default: all; best with --cases.")
    private String device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            description = "The plan: auto, one plan's name, or all for each plan in turn. Default: all; auto"
                    + " with --cases.")
    private String plan;

    @Mixin
    private JsonOption json;

    @Option(names = "--junit", paramLabel = "FILE", description = "Also writes every outcome to FILE as JUnit's XML.")
    private Path junit;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            description = "Also writes devices, matrix and failures to FILE as a page for a browser.")
    private Path html;

    @Override
    public Integer call() throws IOException {
        json.check();
        OutputFile.check("--junit", junit);
        OutputFile.check("--html", html);
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("--json", json.file());
        files.put("--junit", junit);
        files.put("--html", html);
        OutputFile.checkDistinct(files);
        Selection selection = selection();
        String asked = plan != null ? plan : cases == null ? ConformanceRun.ALL_PLANS : EngineOptions.AUTO;
        ConformanceRun run = run(selection, asked);
        List<EngineInfo> engines = engines(cases == null ? DeviceOption.ALL : Engines.BEST);
        PrintWriter out = json.screen();
        String title = title(selection);
        out.println(cases == null ? title : count() + " on: " + where(engines, " " + asked, ", "));
        ConformanceRecord found = new ConformanceRecord(title, engines, out);
        try (Interruption interruption = new Interruption(run::stop, () -> finish(found, selection, true))) {
            run.run(engines, found);
            if (found.plans().isEmpty() && !run.isStopped()) {
                throw new IllegalArgumentException("--plan: \"" + plan + "\", must be auto, all or a plan of "
                        + where(engines, "", " or ")
                        + " (rows, decode, tiles and staged on OpenCL devices, blocked on the cpu, loops on the"
                        + " oracle)"
                        + Suggestion.question(plan, PLANS));
            }
            interruption.endOfWork();
            return finish(found, selection, interruption.isAsked());
        } finally {
            found.close();
        }
    }

    private static String where(List<EngineInfo> engines, String plan, String between) {
        return engines.stream().map(engine -> engine.id() + plan).collect(Collectors.joining(between));
    }

    private String count() throws IOException {
        int count = FileCases.find(cases).size();
        return count + (count == 1 ? " case" : " cases");
    }

    private String title(Selection selection) throws IOException {
        if (cases != null) {
            return count() + " of " + cases;
        }
        return only == null
                ? "The built-in suite" + (quick ? ", quick" : "") + ", seed " + selection.seed()
                : "The case " + only + " of the built-in suite";
    }

    /** Prints and writes what was found; once, by whichever thread is first. */
    private synchronized int finish(ConformanceRecord found, Selection selection, boolean isStopped)
            throws IOException {
        if (isFinished) {
            return Main.CHECK_FAILED;
        }
        isFinished = true;
        PrintWriter out = json.screen();
        found.close();
        Report report = found.report(isStopped);
        ConformanceRecord.print(
                report, selection.isSuite() && !report.outcomes().isEmpty(), out);
        json.write(ConformanceRecord.all(report, isStopped));
        ConformanceRecord.write(report, junit, html, out);
        if (report.outcomes().stream().allMatch(outcome -> outcome.status() == Outcome.Status.SKIPPED) && !isStopped) {
            out.println(
                    cases == null
                            ? "Nothing was checked: no plan that was asked for does this."
                            : "Nothing was checked: this version knows none of these cases.");
        }
        out.println(ConformanceRecord.totals(report) + (isStopped ? ", stopped before the end" : ""));
        out.flush();
        return report.succeeded() ? Main.OK : Main.CHECK_FAILED;
    }

    private Selection selection() {
        if (cases == null) {
            long drawn = seed == null ? Selection.DEFAULT_SEED : seed;
            return only == null ? Selection.builtIn(quick, drawn) : Selection.one(only);
        }
        if (only != null || quick || seed != null) {
            throw new IllegalArgumentException("--cases: given with "
                    + (only != null ? "--case" : quick ? "--quick" : "--seed")
                    + ", which is of the built-in suite, must be one or the other");
        }
        return Selection.files(cases);
    }

    private ConformanceRun run(Selection selection, String asked) {
        if (limit < 1) {
            throw new IllegalArgumentException("--limit: " + limit + ", must be 1 or more seconds");
        }
        try {
            return new ConformanceRun(selection, asked, Duration.ofSeconds(limit));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    e.getMessage() + Suggestion.question(only, ConformanceRun.caseNames()), e);
        }
    }

    private List<EngineInfo> engines(String unlessGiven) {
        String named = device == null ? unlessGiven : device;
        if (named.equals(DeviceOption.ALL)) {
            return Engines.list();
        }
        EngineInfo info = DeviceOption.resolve(named);
        DeviceOption.explainFallback(named, info, json.errors());
        return List.of(info);
    }

    /**
     * Long work that a user may stop by Ctrl-C or by SIGTERM: what was found until then is reported before the process ends.
     */
    private static final class Interruption implements AutoCloseable {
        /** Work that has not ended by then is left as it is. */
        private static final int SECONDS_TO_STOP = 5;

        /** Reports what was found. */
        interface Reporting {
            void write() throws IOException;
        }

        private final CountDownLatch worked = new CountDownLatch(1);
        private final Thread hook;
        private volatile boolean isAsked;

        /** Begins to listen. */
        Interruption(Runnable stop, Reporting report) {
            hook = new Thread(() -> stopAndReport(stop, report), "interruption");
            Runtime.getRuntime().addShutdownHook(hook);
        }

        private void stopAndReport(Runnable stop, Reporting report) {
            isAsked = true;
            stop.run();
            try {
                worked.await(SECONDS_TO_STOP, TimeUnit.SECONDS);
                report.write();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                System.err.println("attention4j: " + Text.message(e));
            }
        }

        /** True if the work is to stop, or has stopped early. */
        boolean isAsked() {
            return isAsked;
        }

        /** The work has ended, to its end or early. */
        void endOfWork() {
            worked.countDown();
        }

        @Override
        public void close() {
            worked.countDown();
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // The process ends already, by way of the hook.
            }
        }
    }
}
