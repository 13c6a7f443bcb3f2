package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.suite.Outcome.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Runs the built-in suite: each engine in a child JVM of its own. Where a case crashes it or does not end in time, that is
 * the case's outcome, and a new child goes on behind it.
 *
 * <pre>{@code
 * Selection quick = new Selection(true, Selection.DEFAULT_SEED, Optional.empty());
 * new SuiteRun(quick, SuiteRun.ALL_PLANS, Duration.ofMinutes(2)).run(Engines.list(), listener);
 * }</pre>
 */
public final class SuiteRun {
    /** Asks for each of an engine's plans in turn. */
    public static final String ALL_PLANS = "all";

    /** After so many crashes and time-outs a plan is not run any more. */
    private static final int PLAN_FAULTS = 3;

    /** After so many that are no trial's fault, an engine is not. */
    private static final int ENGINE_FAULTS = 3;

    /** The most time until a child has started and listed its devices: no case's, so never less than this. */
    private static final Duration START_LIMIT = Duration.ofMinutes(5);

    /** The feature of what goes wrong outside all cases. */
    private static final String ENGINE = "engine";

    /** Hears how it goes. */
    public interface Listener {
        /**
         * An engine begins.
         *
         * @param engine which
         * @param plans those it is run with; none if it has not the plan that was asked for
         * @param trials how many outcomes will follow
         */
        void begin(EngineInfo engine, List<String> plans, int trials);

        /**
         * A case has ended on it.
         *
         * @param outcome how
         */
        void end(Outcome outcome);
    }

    private final Selection selection;
    private final String plan;
    private final Duration limit;
    private final String classPath;

    /**
     * A run that has not begun.
     *
     * @param selection which cases
     * @param plan one plan's name (with tiles behind a colon if any), {@link dev.attention4j.EngineOptions#AUTO}, or
     *     {@link #ALL_PLANS}
     * @param limit the most time for one case, builds of kernels included
     * @throws IllegalArgumentException if the selection names no case, or the limit is not positive
     */
    public SuiteRun(Selection selection, String plan, Duration limit) {
        this(selection, plan, limit, System.getProperty("java.class.path"));
    }

    /** For tests: with engines that are on a class path of their own. */
    SuiteRun(Selection selection, String plan, Duration limit, String classPath) {
        if (limit.isNegative() || limit.isZero()) {
            throw new IllegalArgumentException("limit: " + limit + ", must be more than 0");
        }
        selection.only().ifPresent(BuiltInSuite::find);
        this.selection = selection;
        this.plan = plan;
        this.limit = limit;
        this.classPath = classPath;
    }

    /**
     * Runs all cases, one engine after another.
     *
     * @param engines where
     * @param listener hears of each on this thread
     * @throws UncheckedIOException if no child JVM can be started
     */
    public void run(List<EngineInfo> engines, Listener listener) {
        for (EngineInfo engine : engines) {
            new OneEngine(engine, listener).run();
        }
    }

    /** The children of one engine, one after another. */
    private final class OneEngine {
        private final EngineInfo engine;
        private final Listener listener;
        private final Map<String, Integer> planFaults = new HashMap<>();
        private int engineFaults;
        private int next;
        private int trials = -1;

        OneEngine(EngineInfo engine, Listener listener) {
            this.engine = engine;
            this.listener = listener;
        }

        void run() {
            while (next != trials && engineFaults < ENGINE_FAULTS) {
                TreeSet<String> givenUp = new TreeSet<>();
                planFaults.forEach((name, faults) -> {
                    if (faults >= PLAN_FAULTS) {
                        givenUp.add(name);
                    }
                });
                Worker.Assignment assignment = new Worker.Assignment(engine.id(), plan, selection, next, givenUp);
                try (ChildProcess child = new ChildProcess(classPath, assignment.arguments())) {
                    listen(child);
                } catch (IOException e) {
                    throw new UncheckedIOException("no JVM can be started for the cases: " + e.getMessage(), e);
                }
            }
        }

        /** Until the child's end, good or bad. */
        private void listen(ChildProcess child) {
            Events.Begun running = null;
            Duration wait = START_LIMIT.compareTo(limit) > 0 ? START_LIMIT : limit;
            long start = System.nanoTime();
            while (true) {
                Optional<Events.Event> event = child.next(wait);
                if (event.isEmpty()) {
                    fault(running, Status.HUNG, "did not end within " + wait.toSeconds() + " s", start);
                    return;
                }
                wait = limit;
                if (event.get() instanceof Events.Done) {
                    return;
                }
                if (event.get() instanceof ChildProcess.End) {
                    fault(running, Status.CRASHED, child.lastWords(), start);
                    return;
                }
                if (event.get() instanceof Events.Ready ready && trials < 0) {
                    trials = ready.trials();
                    listener.begin(engine, ready.plans(), trials);
                } else if (event.get() instanceof Events.Begun begun) {
                    running = begun;
                    start = System.nanoTime();
                } else if (event.get() instanceof Events.Ended ended) {
                    running = null;
                    next = ended.trial() + 1;
                    listener.end(ended.outcome());
                }
            }
        }

        /** A crash or a time-out: of the trial that ran, or of the engine as such where none did. */
        private void fault(Events.Begun running, Status status, String detail, long start) {
            double seconds = (System.nanoTime() - start) / 1e9;
            if (running == null) {
                engineFaults++;
                if (trials < 0) {
                    // It does not even open: once is enough.
                    engineFaults = ENGINE_FAULTS;
                    listener.begin(engine, List.of(plan), 1);
                }
                listener.end(new Outcome(
                        ENGINE,
                        ENGINE + "/opens-and-closes",
                        engine.id(),
                        plan,
                        status,
                        Double.NaN,
                        Double.NaN,
                        detail,
                        seconds,
                        "conformance --device " + engine.id() + " --plan " + plan));
                return;
            }
            planFaults.merge(running.plan(), 1, Integer::sum);
            next = running.trial() + 1;
            listener.end(Outcome.of(
                    running.caseName(), engine.id(), running.plan(), status, Double.NaN, Double.NaN, detail, seconds));
        }
    }
}
