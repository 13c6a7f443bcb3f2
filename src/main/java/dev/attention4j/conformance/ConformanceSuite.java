package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.conformance.ConformanceCase.Source;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.stream.Stream;

/**
 * Every case on every engine by every plan asked for.
 *
 * <pre>{@code
 * List<Source> cases = ConformanceSuite.find(Path.of("cases")); // or List.of(ConformanceCase.SENTENCES)
 * ConformanceSuite suite =
 *         ConformanceSuite.of(cases, Engines.list(), ConformanceSuite.ALL_PLANS, EngineOptions.DEFAULT);
 * progress.max(suite.size());
 * suite.run((source, outcome) -> progress.step());
 * }</pre>
 */
public final class ConformanceSuite {
    /** Asks for each of an engine's plans in turn. */
    public static final String ALL_PLANS = "all";

    private static final String EXTENSION = ".safetensors";

    /** One engine, opened with one plan. */
    private record Run(EngineInfo engine, String plan) {}

    private final List<Source> cases;
    private final List<Run> runs;
    private final EngineOptions options;
    private final BiFunction<EngineInfo, EngineOptions, AttentionEngine> opener;

    private ConformanceSuite(
            List<Source> cases,
            List<Run> runs,
            EngineOptions options,
            BiFunction<EngineInfo, EngineOptions, AttentionEngine> opener) {
        this.cases = List.copyOf(cases);
        this.runs = List.copyOf(runs);
        this.options = options;
        this.opener = opener;
    }

    /**
     * The case files of a folder; sorted by path, at least one; none has been read yet.
     *
     * @param folder is searched with all folders in it for {@code *.safetensors}; a single file is taken as it is
     * @throws FileFormatException if there is none
     * @throws IOException if the folder is not there or cannot be searched
     */
    public static List<Source> find(Path folder) throws IOException {
        Path start = folder.toRealPath();
        if (Files.isRegularFile(start)) {
            return List.of(source(folder));
        }
        List<Source> found;
        try (Stream<Path> files = Files.walk(start)) {
            found = files.filter(file -> file.getFileName().toString().endsWith(EXTENSION) && Files.isRegularFile(file))
                    .sorted()
                    .map(file -> source(folder.resolve(start.relativize(file))))
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        if (found.isEmpty()) {
            throw new FileFormatException(
                    folder.toString(), "holds no file *" + EXTENSION + ", must hold at least one");
        }
        return found;
    }

    /**
     * Gets ready to run; opens engines for a moment to ask them for their plans.
     *
     * @param plan {@link EngineOptions#AUTO}, the name of a plan (engines that have no such plan are left out), or
     *     {@link #ALL_PLANS}
     * @param options how engines are opened, but for the plan
     * @throws IllegalArgumentException if there are no cases or no engines, or no engine has the plan
     */
    public static ConformanceSuite of(
            List<Source> cases, List<EngineInfo> engines, String plan, EngineOptions options) {
        return of(cases, engines, plan, options, (info, how) -> Engines.open(info.id(), how));
    }

    static ConformanceSuite of(
            List<Source> cases,
            List<EngineInfo> engines,
            String plan,
            EngineOptions options,
            BiFunction<EngineInfo, EngineOptions, AttentionEngine> opener) {
        if (cases.isEmpty() || engines.isEmpty()) {
            throw new IllegalArgumentException("cases, engines: " + cases.size() + " cases and " + engines.size()
                    + " engines given, must be at least one of each");
        }
        List<Run> runs = new ArrayList<>();
        List<String> plansSeen = new ArrayList<>();
        for (EngineInfo info : engines) {
            if (plan.equals(EngineOptions.AUTO)) {
                runs.add(new Run(info, plan));
                continue;
            }
            List<String> plans;
            try (AttentionEngine engine = opener.apply(info, options.withPlan(EngineOptions.AUTO))) {
                plans = engine.plans();
            } catch (RuntimeException e) {
                // It is opened again to be run, and then the failure is reported for each case.
                runs.add(new Run(info, plan));
                continue;
            }
            plansSeen.add(info.id() + " has " + plans);
            plans.stream()
                    .filter(has -> plan.equals(ALL_PLANS) || plan.equals(has))
                    .forEach(has -> runs.add(new Run(info, has)));
        }
        if (runs.isEmpty()) {
            throw new IllegalArgumentException("plan: \"" + plan + "\", must be \"" + EngineOptions.AUTO + "\", \""
                    + ALL_PLANS + "\" or a plan of an engine: " + String.join("; ", plansSeen));
        }
        return new ConformanceSuite(cases, runs, options, opener);
    }

    /** How many outcomes there will be. */
    public int size() {
        return Math.multiplyExact(cases.size(), runs.size());
    }

    /** What will be run, for people; {@code engine plan} for each pair, in order. */
    public List<String> runs() {
        return runs.stream().map(run -> run.engine().id() + " " + run.plan()).toList();
    }

    /**
     * Runs everything, on this thread. A case that cannot be read and an engine that cannot be opened are failures, and
     * the others go on.
     *
     * @param outcomes gets each outcome as soon as it is there, and of which source it is
     */
    public void run(BiConsumer<Source, Outcome> outcomes) {
        for (Run run : runs) {
            AttentionEngine opened;
            try {
                opened = opener.apply(run.engine(), options.withPlan(run.plan()));
            } catch (RuntimeException e) {
                for (Source source : cases) {
                    outcomes.accept(
                            source, failure(source, run, "the engine could not be opened: " + Outcome.describe(e)));
                }
                continue;
            }
            try (AttentionEngine engine = opened) {
                ConformanceRunner runner = new ConformanceRunner(engine, run.plan());
                for (Source source : cases) {
                    outcomes.accept(source, run(source, run, runner));
                }
            }
        }
    }

    private static Outcome run(Source source, Run run, ConformanceRunner runner) {
        try {
            return runner.run(source.read());
        } catch (IOException e) {
            return failure(source, run, Outcome.describe(e));
        } catch (OutOfMemoryError e) {
            // One large array did not fit; the next case may well.
            return failure(source, run, Outcome.describe(e));
        }
    }

    private static Outcome failure(Source source, Run run, String detail) {
        return Outcome.ofFile(source.name(), run.engine().id(), run.plan(), Status.FAILED, Double.NaN, detail);
    }

    private static Source source(Path file) {
        return new Source(file.toString(), name -> ConformanceCase.read(file));
    }
}
