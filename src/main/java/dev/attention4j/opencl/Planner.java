package dev.attention4j.opencl;

import dev.attention4j.EngineOptions;
import dev.attention4j.PlanChoice;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.backward.BackwardPlan;
import dev.attention4j.opencl.fused.ForwardDecode;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.machine.Warnings;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.projection.ProjectionPlan;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.staged.StagedPlan;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.opencl.tuning.TuningDatabase;
import dev.attention4j.spi.TestOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Picks the plan for a problem and its tunables: what the caller asks for, else what was tuned for the device, else
 * what suits the device's class. Falls back to the next smaller tunables that fit.
 *
 * <p>Called under the engine's lock: whether tunables fit may be found out by building a kernel.
 *
 * @param <P> all that plans may decide by
 * @param <L> the kind of plan
 */
final class Planner<P, L extends Plan<P, ?>> {
    private static final Logger LOG = LoggerFactory.getLogger(Planner.class);

    /**
     * A plan with tunables that fit the problem.
     *
     * @param why the reason, as part of a line
     */
    record Choice<L extends Plan<?, ?>>(L plan, Tunables tunables, String why) {
        Variant variant() {
            return new Variant(plan.name(), tunables);
        }
    }

    /** Says why a device would cut the loops of a plan short; empty if it would not. */
    interface LoopExcess<P, L> {
        Optional<String> of(L plan, P problem, Tunables tunables);
    }

    private static final int MOST_ANSWERS = 256;

    /** Calls come in few shapes, and choosing takes longer than a small attention. */
    private final Map<P, Choice<L>> answers = new LinkedHashMap<>();

    private final List<L> plans;
    private final String deviceClass;
    private final Variant wanted;
    private final boolean mayUseHost;
    private final TuningDatabase tuning;
    private final Function<P, ProblemClass> classes;
    private final LoopLimit loopLimit;
    private final LoopExcess<P, L> loops;

    /**
     * Makes a planner.
     *
     * @param plans of the device, in the order that suits its class
     * @param deviceClass the name of the class
     * @param wanted a plan's name with or without tunables, or {@link EngineOptions#AUTO}
     * @param mayUseHost true if a plan that computes on the host may be taken where no caller asks for it
     * @param classes the class by which a problem is tuned
     * @param loopLimit of the device: what would exceed it is refused
     */
    Planner(
            List<L> plans,
            String deviceClass,
            String wanted,
            boolean mayUseHost,
            TuningDatabase tuning,
            Function<P, ProblemClass> classes,
            LoopLimit loopLimit,
            LoopExcess<P, L> loops) {
        this.plans = List.copyOf(plans);
        this.deviceClass = deviceClass;
        this.wanted = Variant.parse(wanted);
        this.mayUseHost = mayUseHost;
        this.tuning = tuning;
        this.classes = classes;
        this.loopLimit = loopLimit;
        this.loops = loops;
        if (isAuto() ? !this.wanted.tunables().isEmpty() : !names().contains(this.wanted.plan())) {
            throw new IllegalArgumentException("plan: \"" + wanted + "\", must be \"" + EngineOptions.AUTO
                    + "\" or one of " + names() + ", which tunables may follow after a colon");
        }
        if (!this.wanted.tunables().isEmpty()) {
            plan(this.wanted.plan())
                    .tunableSpace()
                    .whyNot(this.wanted.tunables())
                    .ifPresent(whyNot -> {
                        throw new IllegalArgumentException("plan: \"" + wanted + "\": " + whyNot);
                    });
        }
    }

    /** Makes the planner of a device's attention. */
    static Planner<Workload, AttentionPlan> ofAttention(
            DeviceContext context, EngineOptions options, TuningDatabase tuning) {
        AttentionPlan staged = new StagedPlan(context);
        AttentionPlan rows = new ForwardRows(context);
        AttentionPlan decode = new ForwardDecode(context);
        AttentionPlan tiles = new ForwardTiles(context);
        // A work-group of one work-item suits a CPU's vector units and would leave a GPU idle; many work-items that
        // meet at barriers suit a GPU, and a CPU only as a test.
        List<AttentionPlan> plans = new ArrayList<>(
                context.device().isCpuClass()
                        ? List.of(decode, rows, tiles, staged)
                        : List.of(tiles, staged, rows, decode));
        if (isThisProcessor(context)) {
            plans.add(new HostPlan(options));
        }
        // Poison is for tests of kernels: they get every call.
        return ofAttention(
                plans,
                deviceClass(context),
                options.plan(),
                !options.has(TestOption.POISON),
                tuning,
                LoopLimit.of(context.device()));
    }

    /** Makes a planner of these plans. */
    static Planner<Workload, AttentionPlan> ofAttention(
            List<AttentionPlan> plans,
            String deviceClass,
            String wanted,
            boolean mayUseHost,
            TuningDatabase tuning,
            LoopLimit limit) {
        return new Planner<>(
                plans,
                deviceClass,
                wanted,
                mayUseHost,
                tuning,
                ProblemClass::of,
                limit,
                (plan, problem, tunables) -> limit.isNone() || plan.isOnHost()
                        ? Optional.empty()
                        : limit.whyNot(plan.name(), problem, plan.division(problem, tunables, 0)));
    }

    /** Makes the planner of a device's projections. */
    static Planner<ProjectionPlan.Problem, ProjectionPlan> ofProjections(DeviceContext context, TuningDatabase tuning) {
        return new Planner<>(
                List.of(ProjectionPlan.of(context)),
                deviceClass(context),
                EngineOptions.AUTO,
                false,
                tuning,
                problem -> ProblemClass.PROJECTIONS,
                LoopLimit.of(context.device()),
                ProjectionPlan::loopExcess);
    }

    /** Makes the planner of a device's gradients, which a plan that the caller insists on may have a way of its own for. */
    static Planner<Workload, BackwardPlan> ofGradients(
            DeviceContext context, EngineOptions options, TuningDatabase tuning) {
        List<BackwardPlan> plans = BackwardPlan.of(context);
        String wanted = Variant.parse(options.plan()).plan();
        return new Planner<>(
                plans,
                deviceClass(context),
                plans.stream().anyMatch(plan -> plan.name().equals(wanted)) ? wanted : EngineOptions.AUTO,
                false,
                tuning,
                ProblemClass::of,
                LoopLimit.of(context.device()),
                BackwardPlan::loopExcess);
    }

    private static String deviceClass(DeviceContext context) {
        return context.device().isCpuClass() ? "CPU-class" : "GPU-class";
    }

    /** Returns whether a device is the processor that this program runs on, and works on its memory; no emulator. */
    static boolean isThisProcessor(DeviceContext context) {
        return context.device().isCpuClass()
                && context.sharesHostMemory()
                && !context.device().isEmulator();
    }

    private boolean isAuto() {
        return wanted.plan().equals(EngineOptions.AUTO);
    }

    /** Returns whether problems that suit a plan on the host are computed by it. */
    boolean takesHost() {
        return isAuto()
                ? mayUseHost && plans.stream().anyMatch(Plan::isOnHost)
                : plan(wanted.plan()).isOnHost();
    }

    List<String> names() {
        return plans.stream().map(Plan::name).toList();
    }

    /** Returns the plan of a name, or null. */
    private L plan(String name) {
        return plans.stream()
                .filter(plan -> plan.name().equals(name))
                .findFirst()
                .orElse(null);
    }

    /**
     * Returns the plan and tunables for a problem.
     *
     * @throws UnsupportedPlanException if no plan that may be taken can do it
     */
    Choice<L> choose(P problem) {
        Choice<L> answer = answers.get(problem);
        if (answer == null) {
            answer = chooseAnew(problem);
            if (answers.size() >= MOST_ANSWERS) {
                answers.remove(answers.keySet().iterator().next());
            }
            answers.put(problem, answer);
        }
        return answer;
    }

    /** Explains the choice for a problem. */
    PlanChoice explain(P problem) {
        Choice<L> choice = choose(problem);
        return new PlanChoice(
                choice.plan.name(),
                choice.tunables.values(),
                choice.why,
                choice.plan.describe(problem, choice.tunables));
    }

    private Choice<L> chooseAnew(P problem) {
        Set<String> refusals = new LinkedHashSet<>();
        for (L plan : inOrder(problem)) {
            Optional<Choice<L>> choice = choose(plan, problem, refusals);
            if (choice.isPresent()) {
                return choice.get();
            }
        }
        throw new UnsupportedPlanException(wanted.toString(), String.join("; ", refusals));
    }

    /** Returns the plan that was asked for, or all: what was tuned, then what suits the problem, then the others. */
    private List<L> inOrder(P problem) {
        if (!isAuto()) {
            return List.of(plan(wanted.plan()));
        }
        // A plan of another version of this library is none of these.
        Optional<TuningDatabase.Found> tuned = tuning.fastest(classes.apply(problem));
        List<L> ordered = new ArrayList<>(plans);
        // Plans on the host are not tuned: taken first where they suit the problem, and else not at all.
        ordered.removeIf(plan -> plan.isOnHost() && (!mayUseHost || !plan.suits(problem)));
        ordered.sort(Comparator.comparing((L plan) -> !plan.isOnHost())
                .thenComparing(plan -> !(tuned.isPresent() && tuned.get().isOf(plan.name())))
                .thenComparing(plan -> !plan.suits(problem)));
        return ordered;
    }

    private Optional<Choice<L>> choose(L plan, P problem, Set<String> refusals) {
        Optional<String> never = plan.whyNot(problem);
        if (never.isPresent()) {
            refusals.add(never.get());
            return Optional.empty();
        }
        String asked = isAuto() ? "" : "asked for, ";
        String unfit = "";
        if (!wanted.tunables().isEmpty()) {
            Optional<String> whyNot = whyNot(plan, problem, wanted.tunables());
            if (whyNot.isEmpty()) {
                return Optional.of(new Choice<>(plan, wanted.tunables(), "asked for"));
            }
            unfit += "; what was asked for does not fit: " + whyNot.get();
        }
        ProblemClass problems = classes.apply(problem);
        Optional<TuningDatabase.Found> tuned =
                isAuto() ? tuning.fastest(problems).filter(found -> found.isOf(plan.name())) : Optional.empty();
        tuned = tuned.or(() -> tuning.fastestOf(plan.name(), problems));
        if (tuned.isPresent()) {
            Tunables tunables = tuned.get().entry().variant().tunables();
            Optional<String> whyNot = whyNot(plan, problem, tunables);
            if (whyNot.isEmpty()) {
                return Optional.of(new Choice<>(plan, tunables, asked + tuned.get() + unfit));
            }
            unfit += "; what was " + tuned.get() + " does not fit: " + whyNot.get();
        }
        Optional<String> excess = Optional.empty();
        for (Tunables tunables : plan.defaults(problem)) {
            Optional<String> whyNot = plan.whyNot(problem, tunables);
            if (whyNot.isEmpty()) {
                excess = loops.of(plan, problem, tunables);
                if (excess.isPresent()) {
                    continue;
                }
                String why = asked + "default for " + deviceClass + " devices" + unfit;
                return Optional.of(new Choice<>(plan, tunables, why));
            }
            unfit += "; " + tunables + " does not fit: " + whyNot.get();
        }
        if (excess.isPresent()) {
            unfit += "; " + plan.name() + " has " + excess.get();
        }
        refusals.add(unfit.substring(2));
        if (excess.isPresent()) {
            // Once, after all reasons that it is advice for.
            refusals.remove(loopLimit.advice());
            refusals.add(loopLimit.advice());
        }
        return Optional.empty();
    }

    /** Returns why tunables cannot be taken: they do not fit, or the device would cut their loops short. */
    private Optional<String> whyNot(L plan, P problem, Tunables tunables) {
        return plan.whyNot(problem, tunables).or(() -> loops.of(plan, problem, tunables));
    }

    /**
     * Returns what is worth timing: of each plan that may be taken and can do the problem, first what it would take
     * itself, then its candidates as far as they fit. The first of all is what {@link #choose} picks.
     *
     * @throws UnsupportedPlanException if no plan that may be taken can do it
     */
    List<Variant> variants(P problem) {
        Set<Variant> variants = new LinkedHashSet<>();
        variants.add(choose(problem).variant());
        for (L plan : inOrder(problem)) {
            Optional<Choice<L>> own = choose(plan, problem, new LinkedHashSet<>());
            if (own.isPresent()) {
                variants.add(own.get().variant());
                plan.candidates(problem).stream()
                        .filter(tunables -> whyNot(plan, problem, tunables).isEmpty())
                        .forEach(tunables -> variants.add(new Variant(plan.name(), tunables)));
            }
        }
        return List.copyOf(variants);
    }

    /**
     * Returns just this plan with just these tunables.
     *
     * @throws UnsupportedPlanException if it cannot do the problem so
     */
    Choice<L> insist(P problem, Variant variant) {
        L plan = plan(variant.plan());
        if (plan == null) {
            throw new IllegalArgumentException("variant: " + variant + ", must be of one of " + names());
        }
        plan.whyNot(problem).or(() -> whyNot(plan, problem, variant.tunables())).ifPresent(whyNot -> {
            throw new UnsupportedPlanException(variant.toString(), whyNot);
        });
        return new Choice<>(plan, variant.tunables(), "asked for");
    }

    /** Chooses as above, and warns if what was tuned for the problem is not taken. */
    Choice<L> chooseOrWarn(String what, P problem) {
        Choice<L> choice = choose(problem);
        tuning.fastest(classes.apply(problem))
                .filter(found -> !found.entry().variant().equals(choice.variant()))
                .ifPresent(found -> Warnings.once(
                        LOG,
                        what + ": what was " + found + " is not used: "
                                + (found.isOf(choice.plan.name())
                                        ? whyNot(
                                                        choice.plan,
                                                        problem,
                                                        found.entry().variant().tunables())
                                                .orElse(choice.why)
                                        : "its plan must be one of " + names())));
        return choice;
    }

    /** Ends the plans on the host. */
    void close() {
        for (L plan : plans) {
            if (plan instanceof HostPlan host) {
                host.close();
            }
        }
    }
}
