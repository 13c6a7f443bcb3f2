package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Runs cases: each engine in child JVMs of its own. Where a case crashes it or does not end in time, that is the case's
 * outcome, and a new child goes on after it.
 *
 * <pre>{@code
 * Selection quick = Selection.builtIn(true, Selection.DEFAULT_SEED); // or Selection.files(Path.of("cases"))
 * new ConformanceRun(quick, ConformanceRun.ALL_PLANS, Duration.ofMinutes(2)).run(Engines.list(), listener);
 * }</pre>
 */
public final class ConformanceRun {
    /** Asks for each of an engine's plans in turn. */
    public static final String ALL_PLANS = "all";

    private static final int MOST_LANES = 2;

    /** The number of crashes and time-outs after which a plan is not run any more. */
    private static final int PLAN_FAULTS = 3;

    /** The number of those outside all trials after which an engine is not. */
    private static final int ENGINE_FAULTS = 3;

    /** The most time until a child has started and listed its devices: no case's, so never less than this. */
    private static final Duration START_LIMIT = Duration.ofMinutes(5);

    /** The time by which this JVM may hear later than a child that both are to end. */
    private static final Duration STOP_LIMIT = Duration.ofSeconds(3);

    /** The feature and the name of faults outside all cases. */
    private static final String ENGINE = "engine";

    private static final String OPENS = ENGINE + "/opens-and-closes";

    /** Receives progress. */
    public interface Listener {
        /**
         * An engine begins.
         *
         * @param plans those it is run with; none if it has not the plan that was asked for
         */
        void begin(EngineInfo engine, List<String> plans, int trials);

        /** A case has ended on it. */
        void end(Outcome outcome);
    }

    private final Selection selection;
    private final String plan;
    private final Duration limit;
    private final String classPath;
    private final Set<ChildProcess> children = new HashSet<>();
    private boolean isStopped;

    /**
     * A run that has not begun.
     *
     * @param plan one plan's name (with tunables after a colon if any), {@link dev.attention4j.EngineOptions#AUTO}, or
     *     {@link #ALL_PLANS}
     * @throws IllegalArgumentException if the selection names no case of the suite, or the limit is not positive
     */
    public ConformanceRun(Selection selection, String plan, Duration limit) {
        this(selection, plan, limit, System.getProperty("java.class.path"));
    }

    /** For tests: with engines that are on a class path of their own. */
    ConformanceRun(Selection selection, String plan, Duration limit, String classPath) {
        if (limit.isNegative() || limit.isZero()) {
            throw new IllegalArgumentException("limit: " + limit + ", must be more than 0");
        }
        if (selection.only() != null) {
            BuiltInSuite.find(selection.only());
        }
        this.selection = selection;
        this.plan = plan;
        this.limit = limit;
        this.classPath = classPath;
    }

    /** The names of the built-in suite's own cases: all but random ones and those of peers' grids. */
    public static List<String> caseNames() {
        return BuiltInSuite.named().stream().map(ConformanceCase::name).toList();
    }

    /**
     * Runs all cases, one engine after another.
     *
     * @param listener hears of each, case by case in the order of the suite, never of two at a time
     */
    public void run(List<EngineInfo> engines, Listener listener) {
        ScratchFolder.sweep();
        for (EngineInfo engine : engines) {
            if (!isStopped()) {
                new OneEngine(engine, listener).run();
            }
        }
    }

    /** Ends all children. {@link #run} then returns soon, and of what ran no outcome is told. */
    public void stop() {
        synchronized (children) {
            isStopped = true;
            children.forEach(ChildProcess::kill);
            children.notifyAll();
        }
    }

    /** Returns true if {@link #stop} was called: the outcomes are but a part of all. */
    public boolean isStopped() {
        synchronized (children) {
            return isStopped;
        }
    }

    /** Starts a child; empty if no more are to be. */
    private Optional<ChildProcess> start(Worker.Assignment assignment) throws IOException {
        synchronized (children) {
            if (isStopped) {
                return Optional.empty();
            }
            ChildProcess child = new ChildProcess(classPath, assignment);
            children.add(child);
            return Optional.of(child);
        }
    }

    private void end(ChildProcess child) {
        synchronized (children) {
            children.remove(child);
        }
        child.close();
    }

    /** Ctrl-C ends a child perhaps before this JVM hears of it: waits a moment for its own {@link #stop}. */
    private boolean isStoppedSoon() {
        synchronized (children) {
            long end = System.nanoTime() + STOP_LIMIT.toNanos();
            while (!isStopped) {
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    return false;
                }
                try {
                    children.wait(left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return true;
                }
            }
            return true;
        }
    }

    /** The number of children that share an engine's trials: compilers for CPUs and interpreters take one core each. */
    private int lanes(EngineInfo engine) {
        boolean compilesOnOneCore =
                engine.kind() == EngineInfo.Kind.OPENCL_CPU || engine.kind() == EngineInfo.Kind.EMULATOR;
        boolean manyTrials = plan.equals(ALL_PLANS) && selection.only() == null;
        return compilesOnOneCore && manyTrials
                ? Math.min(MOST_LANES, Runtime.getRuntime().availableProcessors())
                : 1;
    }

    /** Puts what several children say back into the order of the trials, so that two runs report alike. */
    static final class InOrder {
        private final TreeMap<Integer, Outcome> early = new TreeMap<>();
        private final Consumer<Outcome> listener;
        private int next;

        InOrder(Consumer<Outcome> listener) {
            this.listener = listener;
        }

        /** Passes it on, and those that waited for it; or keeps it until its turn. */
        void add(int trial, Outcome outcome) {
            early.put(trial, outcome);
            while (early.containsKey(next)) {
                listener.accept(early.remove(next));
                next++;
            }
        }

        /** Passes on what still waits for trials that will not come. */
        void flush() {
            early.values().forEach(listener);
            early.clear();
        }
    }

    /** All lanes of an engine, and what they have in common. */
    private final class OneEngine {
        private final EngineInfo engine;
        private final Listener listener;
        private final InOrder outcomes;
        private int trials = -1;
        private boolean isLost;

        OneEngine(EngineInfo engine, Listener listener) {
            this.engine = engine;
            this.listener = listener;
            this.outcomes = new InOrder(listener::end);
        }

        void run() {
            int lanes = lanes(engine);
            ExecutorService threads = Executors.newFixedThreadPool(lanes);
            try {
                List<Future<?>> running = new ArrayList<>();
                for (int lane = 0; lane < lanes; lane++) {
                    running.add(threads.submit(new Lane(this, lane, lanes)));
                }
                for (Future<?> lane : running) {
                    await(lane);
                }
            } finally {
                threads.shutdownNow();
            }
            synchronized (this) {
                outcomes.flush();
            }
        }

        private static void await(Future<?> lane) {
            try {
                lane.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while cases ran", e);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                throw new IllegalStateException(e.getCause());
            }
        }

        /** A child has opened the engine: the first one's word counts for all. */
        synchronized void ready(Event ready) {
            if (trials < 0) {
                trials = ready.trials();
                listener.begin(engine, ready.plans(), trials);
            }
        }

        synchronized void end(int trial, Outcome outcome) {
            outcomes.add(trial, outcome);
        }

        /** Reports a fault outside all cases; returns whether the engine has never opened: once is enough, for all lanes. */
        synchronized boolean fault(Status status, String detail, double seconds) {
            if (trials < 0) {
                if (isLost) {
                    return true;
                }
                isLost = true;
                listener.begin(engine, List.of(plan), 1);
            }
            Outcome outcome = new Outcome(
                    ENGINE,
                    OPENS,
                    engine.id(),
                    plan,
                    status,
                    Double.NaN,
                    Double.NaN,
                    detail,
                    seconds,
                    selection.reproduce(engine.id(), plan));
            listener.end(outcome);
            return isLost;
        }
    }

    /** The children of one lane, one after another. */
    private final class Lane implements Runnable {
        private final OneEngine all;
        private final int lane;
        private final int lanes;
        private final Map<String, Integer> planFaults = new HashMap<>();
        private int engineFaults;
        private int from;
        private boolean isDone;

        Lane(OneEngine all, int lane, int lanes) {
            this.all = all;
            this.lane = lane;
            this.lanes = lanes;
        }

        @Override
        public void run() {
            while (!isDone && engineFaults < ENGINE_FAULTS) {
                List<String> givenUp = planFaults.keySet().stream()
                        .filter(name -> planFaults.get(name) >= PLAN_FAULTS)
                        .toList();
                Worker.Assignment assignment =
                        new Worker.Assignment(all.engine.id(), plan, selection, lane, lanes, from, givenUp);
                Optional<ChildProcess> child;
                try {
                    child = start(assignment);
                } catch (IOException e) {
                    throw new UncheckedIOException("no process can be started for the cases: " + e.getMessage(), e);
                }
                if (child.isEmpty()) {
                    return;
                }
                try {
                    listen(child.get());
                } finally {
                    end(child.get());
                }
            }
        }

        /** Until the child's end, good or bad. */
        private void listen(ChildProcess child) {
            Event running = null;
            Duration wait = START_LIMIT.compareTo(limit) > 0 ? START_LIMIT : limit;
            long start = System.nanoTime();
            while (true) {
                Optional<Event> next = child.next(wait);
                if (next.isEmpty()) {
                    fault(running, Status.HUNG, "did not end within " + wait.toSeconds() + " s", start);
                    return;
                }
                wait = limit;
                Event event = next.get();
                switch (event.kind()) {
                    case READY -> all.ready(event);
                    case BEGUN -> {
                        running = event;
                        start = System.nanoTime();
                    }
                    case ENDED -> {
                        running = null;
                        from = event.trial() + 1;
                        all.end(event.trial(), event.outcome());
                    }
                    case DONE -> {
                        isDone = true;
                        return;
                    }
                    case CLOSED -> {
                        if (isStopped() || (child.wasAskedToEnd() && isStoppedSoon())) {
                            isDone = true;
                        } else {
                            fault(running, Status.CRASHED, child.lastWords(), start);
                        }
                        return;
                    }
                }
            }
        }

        /** A crash or a time-out: of the trial that ran, or of the engine as such where none did. */
        private void fault(Event running, Status status, String detail, long start) {
            double seconds = (System.nanoTime() - start) / 1e9;
            if (running == null) {
                engineFaults++;
                isDone = all.fault(status, detail, seconds);
                return;
            }
            planFaults.merge(running.plan(), 1, Integer::sum);
            from = running.trial() + 1;
            String name = running.caseName();
            Finding finding = new Finding().wrong(detail);
            all.end(
                    running.trial(),
                    selection.outcome(name, name, all.engine.id(), running.plan(), status, finding, seconds));
        }
    }
}
