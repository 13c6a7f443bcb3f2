package dev.attention4j.conformance.suite;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.conformance.suite.SuiteRun.Selection;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.reference.Deviation;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The program of a child JVM: runs the cases of one engine, all plans of a case before the next one, so that its tensors
 * and the oracle's are computed once, and engines are opened once. Says what it is about to do before it does it, because
 * it may not live to say what came of it.
 */
final class Worker {
    /** The widest values for which the plan tiles is built on a CPU. */
    private static final int WIDTH = 64;

    private static final int QUICK_WIDTH = 32;

    private final Assignment assignment;
    private final EngineInfo info;
    private final Events events;
    private final Map<String, AttentionEngine> engines = new HashMap<>();

    private Worker(Assignment assignment, EngineInfo info, Events events) {
        this.assignment = assignment;
        this.info = info;
        this.events = events;
    }

    public static void main(String[] arguments) {
        // What drivers print goes elsewhere; events alone go here.
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        endWithParent();
        Assignment assignment = Assignment.parse(arguments);
        EngineInfo info = Engines.resolve(assignment.engine());
        new Worker(assignment, info, new Events(out)).run();
        // Threads of a driver that does not end must not keep this alive.
        Runtime.getRuntime().halt(0);
    }

    /** Nobody reads what an orphan says. */
    private static void endWithParent() {
        Thread watch = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            // The parent never writes; it closes.
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

    private void run() {
        List<SuiteCase> cases = BuiltInSuite.cases(assignment.selection(), info.kind());
        List<String> plans = plans();
        int count = plans.size() * cases.size();
        events.ready(plans, count);
        for (int number = assignment.from() / Math.max(1, plans.size());
                number < cases.size() && !plans.isEmpty();
                number++) {
            SuiteCase one = cases.get(number);
            SuiteCase.Check check = null;
            RuntimeException undrawn = null;
            for (int p = 0; p < plans.size(); p++) {
                int trial = number * plans.size() + p;
                String plan = plans.get(p);
                if (trial < assignment.from() || !assignment.takes(info.kind(), number, p, plans.size())) {
                    continue;
                }
                events.begin(trial, one.name(), plan);
                if (assignment.givenUp().contains(plan)) {
                    end(trial, one, plan, Status.SKIPPED, "not run: the plan crashed or hung too often");
                    continue;
                }
                Optional<String> tooSlow =
                        assignment.selection().only().isPresent() ? Optional.empty() : tooSlow(plan, one);
                if (tooSlow.isPresent()) {
                    end(trial, one, plan, Status.SKIPPED, tooSlow.get());
                    continue;
                }
                try {
                    check = check == null && undrawn == null ? one.draw().get() : check;
                } catch (RuntimeException e) {
                    undrawn = e;
                }
                if (undrawn != null) {
                    end(trial, one, plan, Status.FAILED, "the case cannot be drawn: " + Outcome.describe(undrawn));
                } else {
                    run(trial, one, check, plan);
                }
            }
        }
        engines.values().forEach(AttentionEngine::close);
        events.done();
    }

    /**
     * Why a case is not run because of a build; empty if it is run. The plan tiles is meant for GPUs, whose compilers are
     * quick; those for CPUs take seconds for each storage and for each width of values, rounded up to 32, and minutes for the
     * wide ones. There two widths must do (up to 64, which most models have), and one, in float32, in a quick run.
     */
    private Optional<String> tooSlow(String plan, SuiteCase one) {
        boolean quick = assignment.selection().quick();
        boolean slow = info.kind() == EngineInfo.Kind.OPENCL_CPU || info.kind() == EngineInfo.Kind.EMULATOR;
        if (!slow || !plan.equals(ForwardTiles.NAME)) {
            return Optional.empty();
        }
        if (one.valueDim() > (quick ? QUICK_WIDTH : WIDTH)) {
            return Optional.of("no build for values of this width, which takes too long on a CPU");
        }
        return quick && one.dtype() != DType.FLOAT32
                ? Optional.of("no build but for float32 in a quick run, which takes too long on a CPU")
                : Optional.empty();
    }

    /** Those asked for that the engine has. */
    private List<String> plans() {
        String plan = assignment.plan();
        if (plan.equals(EngineOptions.AUTO)) {
            return List.of(plan);
        }
        List<String> has;
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT)) {
            has = engine.plans();
        }
        if (plan.equals(SuiteRun.ALL_PLANS)) {
            return has;
        }
        String name = plan.contains(":") ? plan.substring(0, plan.indexOf(':')) : plan;
        return has.contains(name) ? List.of(plan) : List.of();
    }

    private void run(int trial, SuiteCase one, SuiteCase.Check check, String plan) {
        long start = System.nanoTime();
        Status status;
        String detail;
        Finding finding = Finding.RIGHT;
        try {
            finding = check.on(engine(plan));
            detail = finding.wrong();
            status = detail.isEmpty() ? Status.PASSED : Status.FAILED;
        } catch (UnsupportedPlanException e) {
            status = plan.equals(EngineOptions.AUTO) ? Status.FAILED : Status.SKIPPED;
            detail = e.getMessage();
        } catch (RuntimeException | OutOfMemoryError | LinkageError e) {
            status = Status.FAILED;
            detail = Outcome.describe(e);
        }
        double error = finding.worst().map(Deviation::error).orElse(Double.NaN);
        double units = finding.worst().map(Deviation::units).orElse(Double.NaN);
        double seconds = (System.nanoTime() - start) / 1e9;
        events.end(trial, Outcome.of(one.name(), info.id(), plan, status, error, units, detail, seconds));
    }

    private void end(int trial, SuiteCase one, String plan, Status status, String detail) {
        events.end(trial, Outcome.of(one.name(), info.id(), plan, status, Double.NaN, Double.NaN, detail, 0));
    }

    /** Poisoned, so that a kernel that reads what nobody wrote is found. */
    private AttentionEngine engine(String plan) {
        return engines.computeIfAbsent(
                plan,
                fresh -> Engines.open(
                        info.id(), EngineOptions.DEFAULT.withPoison(true).withPlan(fresh)));
    }

    /**
     * What a child is to do.
     *
     * @param engine its id
     * @param plan one plan's name, {@link EngineOptions#AUTO} or {@link SuiteRun#ALL_PLANS}
     * @param selection which cases
     * @param lane which share of the trials it runs
     * @param lanes how many children share the trials of this engine
     * @param from the number of the trial (a case by a plan, counted over all lanes) to begin with
     * @param givenUp plans that are not to be run any more
     */
    record Assignment(
            String engine, String plan, Selection selection, int lane, int lanes, int from, Set<String> givenUp) {
        private static final String ANY = "-";

        /**
         * Whether a trial is of this lane. On emulators each lane takes some of the cases: there a call takes longer than a
         * build. Elsewhere plans are shared, so that each kernel is built once.
         */
        boolean takes(EngineInfo.Kind kind, int caseNumber, int plan, int plans) {
            return lane == (kind == EngineInfo.Kind.EMULATOR ? caseNumber % lanes : plan * lanes / plans);
        }

        List<String> arguments() {
            return List.of(
                    engine,
                    plan,
                    Boolean.toString(selection.quick()),
                    Long.toString(selection.seed()),
                    selection.only().orElse(ANY),
                    Integer.toString(lane),
                    Integer.toString(lanes),
                    Integer.toString(from),
                    String.join(" ", givenUp));
        }

        static Assignment parse(String... arguments) {
            return new Assignment(
                    arguments[0],
                    arguments[1],
                    new Selection(
                            Boolean.parseBoolean(arguments[2]),
                            Long.parseLong(arguments[3]),
                            Optional.of(arguments[4]).filter(name -> !name.equals(ANY))),
                    Integer.parseInt(arguments[5]),
                    Integer.parseInt(arguments[6]),
                    Integer.parseInt(arguments[7]),
                    Set.of(arguments[8].split(" ", -1)));
        }
    }
}
