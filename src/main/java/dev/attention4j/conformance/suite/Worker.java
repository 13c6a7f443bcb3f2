package dev.attention4j.conformance.suite;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.ConformanceCase.Check;
import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.spi.TestOption;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The program of a child JVM: runs the cases of one engine, all plans of a case before the next one, so that its tensors
 * and the oracle's are computed once, and engines are opened once. Reports each trial before it runs it, because it may
 * not survive it.
 */
final class Worker {
    /** The widest values for which the plan tiles is built on a CPU. */
    private static final int WIDTH = 64;

    private static final int QUICK_WIDTH = 32;

    private final Assignment assignment;
    private final EngineInfo info;
    private final Function<EngineOptions, AttentionEngine> opener;
    private final Consumer<Event> events;
    private final Map<String, AttentionEngine> engines = new HashMap<>();

    Worker(
            Assignment assignment,
            EngineInfo info,
            Function<EngineOptions, AttentionEngine> opener,
            Consumer<Event> events) {
        this.assignment = assignment;
        this.info = info;
        this.opener = opener;
        this.events = events;
    }

    public static void main(String[] arguments) throws IOException {
        // Output of drivers goes elsewhere; events alone go here.
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Assignment assignment = JSON.std.beanFrom(Assignment.class, in.readLine());
        endWithParent(in);
        EngineInfo info = Engines.resolve(assignment.engine());
        new Worker(assignment, info, options -> Engines.open(info.id(), options), event -> event.print(out)).run();
        // Threads of a driver that does not end must not keep this alive.
        Runtime.getRuntime().halt(0);
    }

    /** Ends this process with its parent: no caller reads what an orphan reports. */
    private static void endWithParent(BufferedReader in) {
        Thread watch = new Thread(
                () -> {
                    try {
                        while (in.read() >= 0) {
                            // The parent writes no more; it closes.
                        }
                    } catch (IOException e) {
                        // The same as its end.
                    }
                    Runtime.getRuntime().halt(1);
                },
                "parent's end");
        watch.setDaemon(true);
        watch.start();
    }

    void run() throws IOException {
        List<ConformanceCase> cases = assignment.selection().cases(info.kind());
        List<String> plans = plans();
        events.accept(Event.ready(plans, plans.size() * cases.size()));
        for (int number = assignment.from() / Math.max(1, plans.size());
                number < cases.size() && !plans.isEmpty();
                number++) {
            run(cases.get(number), number, plans);
        }
        engines.values().forEach(AttentionEngine::close);
        events.accept(Event.of(Event.Kind.DONE));
    }

    /** Runs a case by those plans that are this child's. */
    private void run(ConformanceCase one, int number, List<String> plans) {
        Check check = null;
        for (int p = 0; p < plans.size(); p++) {
            int trial = number * plans.size() + p;
            String plan = plans.get(p);
            if (trial < assignment.from() || !assignment.takes(info.kind(), number, p, plans.size())) {
                continue;
            }
            events.accept(Event.begun(trial, one.name(), plan));
            Optional<String> whyNot = whyNot(plan, one);
            if (whyNot.isEmpty() && check == null) {
                check = check(one);
            }
            long start = System.nanoTime();
            Finding finding = whyNot.isPresent() ? new Finding().unchecked(whyNot.get()) : ask(check, plan);
            String name = check == null ? one.name() : check.name().orElse(one.name());
            double seconds = (System.nanoTime() - start) / 1e9;
            Outcome outcome = assignment
                    .selection()
                    .outcome(one.name(), name, info.id(), plan, finding.status(plan), finding, seconds);
            events.accept(Event.ended(trial, outcome));
        }
    }

    /** Draws or reads a case; where that fails, the check is that failure. */
    private Check check(ConformanceCase one) {
        try {
            return one.source().get();
        } catch (IOException e) {
            return engine -> new Finding().wrong(Outcome.describe(e));
        } catch (RuntimeException | OutOfMemoryError e) {
            return engine -> new Finding().wrong("the case cannot be drawn: " + Outcome.describe(e));
        }
    }

    private Finding ask(Check check, String plan) {
        AttentionEngine engine;
        try {
            engine = engine(plan);
        } catch (RuntimeException e) {
            return new Finding().wrong("the engine could not be opened: " + Outcome.describe(e));
        }
        try {
            return check.on(engine);
        } catch (UnsupportedPlanException e) {
            return new Finding().refused(e.getMessage());
        } catch (RuntimeException | OutOfMemoryError | LinkageError e) {
            return new Finding().wrong(Outcome.describe(e));
        }
    }

    /**
     * Returns why a case is not run; empty if it is. Of the suite, some builds take too long: the plan tiles is meant for GPUs,
     * whose compilers are quick; those for CPUs take seconds for each storage type and for each width of values, rounded up
     * to 32, and minutes for the wide ones. There two widths must do (up to 64, which most models have), and one, in float32,
     * in a quick run.
     */
    private Optional<String> whyNot(String plan, ConformanceCase one) {
        if (assignment.givenUp().contains(plan)) {
            return Optional.of("not run: the plan crashed or hung too often");
        }
        boolean quick = assignment.selection().quick();
        boolean slow = info.kind() == EngineInfo.Kind.OPENCL_CPU || info.kind() == EngineInfo.Kind.EMULATOR;
        if (!assignment.selection().isSuite() || !slow || !plan.equals(ForwardTiles.NAME)) {
            return Optional.empty();
        }
        if (one.valueDim() > (quick ? QUICK_WIDTH : WIDTH)) {
            return Optional.of("no build for values of this width, which takes too long on a CPU");
        }
        return quick && one.dtype() != DType.FLOAT32
                ? Optional.of("no build but for float32 in a quick run, which takes too long on a CPU")
                : Optional.empty();
    }

    /** The plans asked for that the engine has. */
    private List<String> plans() {
        String plan = assignment.plan();
        if (plan.equals(EngineOptions.AUTO)) {
            return List.of(plan);
        }
        List<String> has;
        try (AttentionEngine engine = opener.apply(EngineOptions.DEFAULT)) {
            has = engine.plans();
        }
        if (plan.equals(ConformanceRun.ALL_PLANS)) {
            return has;
        }
        String name = plan.contains(":") ? plan.substring(0, plan.indexOf(':')) : plan;
        return has.contains(name) ? List.of(plan) : List.of();
    }

    /**
     * An engine for a plan. The suite's has poisoned memory, so that a kernel that reads what was never written is found;
     * files are computed as a user's calls are.
     */
    private AttentionEngine engine(String plan) {
        EngineOptions options = EngineOptions.DEFAULT.with(
                TestOption.POISON, assignment.selection().files() == null);
        return engines.computeIfAbsent(plan, fresh -> opener.apply(options.withPlan(fresh)));
    }

    /**
     * The work of a child.
     *
     * @param plan one plan's name, {@link EngineOptions#AUTO} or {@link ConformanceRun#ALL_PLANS}
     * @param lane which share of the trials it runs
     * @param lanes how many children share the trials of this engine
     * @param from the number of the trial (a case by a plan, counted over all lanes) to begin with
     * @param givenUp plans that are not to be run any more
     */
    record Assignment(
            String engine, String plan, Selection selection, int lane, int lanes, int from, List<String> givenUp) {
        /**
         * Returns whether a trial is of this lane. On emulators each lane takes some of the cases: there a call takes longer
         * than a build. Elsewhere plans are shared, so that each kernel is built once.
         */
        boolean takes(EngineInfo.Kind kind, int caseNumber, int plan, int plans) {
            return lane == (kind == EngineInfo.Kind.EMULATOR ? caseNumber % lanes : plan * lanes / plans);
        }
    }
}
