package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.conformance.CaseOutcome.Status;
import dev.attention4j.io.FileFormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Every case on every engine by every plan asked for.
 *
 * <pre>{@code
 * List<CaseSource> cases = ConformanceSuite.find(Path.of("cases")); // or BuiltInCases.all()
 * ConformanceSuite suite =
 *         ConformanceSuite.of(cases, Engines.list(), ConformanceSuite.ALL_PLANS, EngineOptions.DEFAULT);
 * progress.max(suite.size());
 * ConformanceSuite.Totals totals = suite.run(outcome -> progress.step());
 * }</pre>
 */
public final class ConformanceSuite {
    /** Asks for each of an engine's plans in turn. */
    public static final String ALL_PLANS = "all";

    private static final String EXTENSION = ".safetensors";

    /** One engine, opened with one plan. */
    private record Run(EngineInfo engine, String plan) {}

    private final List<CaseSource> cases;
    private final List<Run> runs;
    private final EngineOptions options;
    private final BiFunction<EngineInfo, EngineOptions, AttentionEngine> opener;

    private ConformanceSuite(
            List<CaseSource> cases,
            List<Run> runs,
            EngineOptions options,
            BiFunction<EngineInfo, EngineOptions, AttentionEngine> opener) {
        this.cases = List.copyOf(cases);
        this.runs = List.copyOf(runs);
        this.options = options;
        this.opener = opener;
    }

    /**
     * The case files of a folder.
     *
     * @param folder is searched with all folders in it for {@code *.safetensors}; a single file is taken as it is
     * @return sorted by path, at least one; none has been read yet
     * @throws FileFormatException if there is none
     * @throws IOException if the folder is not there or cannot be searched
     */
    public static List<CaseSource> find(Path folder) throws IOException {
        Path start = folder.toRealPath();
        if (Files.isRegularFile(start)) {
            return List.of(new CaseFile(folder));
        }
        List<CaseSource> found;
        try (Stream<Path> files = Files.walk(start)) {
            found = files.filter(file -> file.getFileName().toString().endsWith(EXTENSION) && Files.isRegularFile(file))
                    .sorted()
                    .map(file -> (CaseSource) new CaseFile(folder.resolve(start.relativize(file))))
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
     * @param cases what to run
     * @param engines where
     * @param plan {@link EngineOptions#AUTO}, the name of a plan (engines that have no such plan are left out), or
     *     {@link #ALL_PLANS}
     * @param options how engines are opened, but for the plan
     * @return ready
     * @throws IllegalArgumentException if there are no cases or no engines, or no engine has the plan
     */
    public static ConformanceSuite of(
            List<CaseSource> cases, List<EngineInfo> engines, String plan, EngineOptions options) {
        return of(cases, engines, plan, options, (info, how) -> Engines.open(info.id(), how));
    }

    static ConformanceSuite of(
            List<CaseSource> cases,
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

    /**
     * How many outcomes there will be.
     *
     * @return cases × (engine and plan)
     */
    public int size() {
        return Math.multiplyExact(cases.size(), runs.size());
    }

    /**
     * What will be run, for people.
     *
     * @return {@code engine plan} for each pair, in order
     */
    public List<String> runs() {
        return runs.stream().map(run -> run.engine().id() + " " + run.plan()).toList();
    }

    /**
     * Runs everything, on this thread. A case that cannot be read and an engine that cannot be opened are failures, and
     * the others go on.
     *
     * @param outcomes gets each outcome as soon as it is there
     * @return how many went how
     */
    public Totals run(Consumer<CaseOutcome> outcomes) {
        return runEach((source, outcome) -> outcomes.accept(outcome));
    }

    /**
     * As {@link #run(Consumer)}, saying of which source each outcome is.
     *
     * @param outcomes gets each outcome as soon as it is there
     * @return how many went how
     */
    public Totals runEach(BiConsumer<CaseSource, CaseOutcome> outcomes) {
        Map<Status, Integer> counts = new EnumMap<>(Status.class);
        BiConsumer<CaseSource, CaseOutcome> counted = (source, outcome) -> {
            counts.merge(outcome.status(), 1, Integer::sum);
            outcomes.accept(source, outcome);
        };
        for (Run run : runs) {
            AttentionEngine opened;
            try {
                opened = opener.apply(run.engine(), options.withPlan(run.plan()));
            } catch (RuntimeException e) {
                for (CaseSource source : cases) {
                    counted.accept(source, failure(source, run, "the engine could not be opened: " + Thrown.text(e)));
                }
                continue;
            }
            try (AttentionEngine engine = opened) {
                ConformanceRunner runner = new ConformanceRunner(engine, run.plan());
                for (CaseSource source : cases) {
                    counted.accept(source, run(source, run, runner));
                }
            }
        }
        return new Totals(
                counts.getOrDefault(Status.PASSED, 0),
                counts.getOrDefault(Status.FAILED, 0),
                counts.getOrDefault(Status.SKIPPED, 0));
    }

    private static CaseOutcome run(CaseSource source, Run run, ConformanceRunner runner) {
        try {
            return runner.run(source.read());
        } catch (IOException e) {
            return failure(source, run, Thrown.text(e));
        } catch (OutOfMemoryError e) {
            // One large array did not fit; the next case may well.
            return failure(source, run, Thrown.text(e));
        }
    }

    private static CaseOutcome failure(CaseSource source, Run run, String detail) {
        return new CaseOutcome(source.name(), run.engine().id(), run.plan(), Status.FAILED, Double.NaN, detail);
    }

    /**
     * How many went how.
     *
     * @param passed all that was compared was right
     * @param failed something was wrong
     * @param skipped nothing was compared
     */
    public record Totals(int passed, int failed, int skipped) {
        /**
         * Whether something was checked and all of it was right.
         *
         * @return false too where every case was skipped
         */
        public boolean succeeded() {
            return failed == 0 && passed > 0;
        }

        /**
         * {@code N passed, N failed}, and {@code , N skipped} if any were.
         *
         * @return one line
         */
        @Override
        public String toString() {
            return Stream.of(passed + " passed", failed + " failed", skipped == 0 ? "" : skipped + " skipped")
                    .filter(part -> !part.isEmpty())
                    .collect(Collectors.joining(", "));
        }
    }

    private record CaseFile(Path path) implements CaseSource {
        @Override
        public String name() {
            return path.toString();
        }

        @Override
        public ConformanceCase read() throws IOException {
            return ConformanceCase.read(path);
        }
    }
}
