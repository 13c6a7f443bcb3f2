package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.PlanChoice;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.tuning.TuningDatabase;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Picks the plan for a problem and its tunables: what the caller asks for, else what was tuned for the device, else
 * what suits the device's class. Falls back to the next smaller tunables that fit.
 *
 * <p>Called under the engine's lock: whether tunables fit may be found out by building a kernel.
 */
final class Planner {
    /**
     * What was picked.
     *
     * @param plan the plan
     * @param tunables that fit the problem
     * @param why part of a line
     */
    record Choice(Plan plan, Tunables tunables, String why) {
        PlanChoice explain(AttentionProblem problem) {
            return new PlanChoice(plan.name(), tunables.values(), why, plan.describe(problem, tunables));
        }
    }

    /** All that plans may decide by; calls come in few shapes, and choosing takes longer than a small attention. */
    private record Question(
            int batch,
            int queryHeads,
            int keyValueHeads,
            int queryLength,
            int keyLength,
            int headDim,
            int valueDim,
            DType dtype,
            boolean causal,
            boolean masked,
            boolean wantsWeights,
            boolean onHost) {
        static Question of(AttentionProblem problem, boolean onHost) {
            Attention attention = problem.attention();
            return new Question(
                    problem.batch(),
                    problem.queryHeads(),
                    problem.keyValueHeads(),
                    problem.queryLength(),
                    problem.keyLength(),
                    problem.headDim(),
                    problem.valueDim(),
                    problem.dtype(),
                    attention.isCausal(),
                    attention.mask().isPresent() || attention.bias().isPresent(),
                    attention.wantsWeights(),
                    onHost);
        }

        /** The record's own would be made at run time, which takes a hundredth of a second of a first call. */
        @Override
        public int hashCode() {
            return ((batch * 31 + queryHeads) * 31 + queryLength) * 31 + keyLength;
        }
    }

    private static final int MOST_ANSWERS = 256;
    private static final String NEEDS_HOST_TENSORS =
            "it computes in host memory, where all tensors of the call must be";

    private final Map<Question, Choice> answers = new LinkedHashMap<>();
    private final List<Plan> plans;
    private final String deviceClass;
    private final Variant wanted;
    private final TuningDatabase tuning;
    private final LoopLimit loopLimit;
    private final boolean mayUseHost;

    /**
     * A planner.
     *
     * @param plans of the device, in the order that suits its class
     * @param deviceClass what the class is called
     * @param wanted a plan's name with or without tunables, or {@link EngineOptions#AUTO}
     * @param tuning what was measured on the device
     * @param loopLimit of the device: what would exceed it is refused
     */
    Planner(List<Plan> plans, String deviceClass, String wanted, TuningDatabase tuning, LoopLimit loopLimit) {
        this(plans, deviceClass, wanted, tuning, loopLimit, true);
    }

    /**
     * A planner that may be kept to the device.
     *
     * @param mayUseHost whether a plan that computes on the host is taken where nobody asks for it
     */
    Planner(
            List<Plan> plans,
            String deviceClass,
            String wanted,
            TuningDatabase tuning,
            LoopLimit loopLimit,
            boolean mayUseHost) {
        this.mayUseHost = mayUseHost;
        this.plans = List.copyOf(plans);
        this.deviceClass = deviceClass;
        this.wanted = Variant.parse(wanted);
        this.tuning = tuning;
        this.loopLimit = loopLimit;
        if (isAuto() ? !this.wanted.tunables().isEmpty() : !names().contains(this.wanted.plan())) {
            throw new IllegalArgumentException("plan: \"" + wanted + "\", must be \"" + EngineOptions.AUTO
                    + "\" or one of " + names() + ", which tunables may follow behind a colon");
        }
        if (!this.wanted.tunables().isEmpty()) {
            plans.stream()
                    .filter(plan -> plan.name().equals(this.wanted.plan()))
                    .forEach(plan -> plan.tunableSpace()
                            .whyNot(this.wanted.tunables())
                            .ifPresent(whyNot -> {
                                throw new IllegalArgumentException("plan: \"" + wanted + "\": " + whyNot);
                            }));
        }
    }

    private boolean isAuto() {
        return wanted.plan().equals(EngineOptions.AUTO);
    }

    List<String> names() {
        return plans.stream().map(Plan::name).toList();
    }

    /** The same for tensors of which some are on the device. */
    Choice choose(AttentionProblem problem) {
        return choose(problem, false);
    }

    /**
     * The plan and tunables for a problem.
     *
     * @param problem shapes and operation
     * @param onHost whether all tensors of the call are in host memory; a plan that computes there needs that
     * @throws UnsupportedPlanException if no plan that may be taken can do it
     */
    Choice choose(AttentionProblem problem, boolean onHost) {
        Question question = Question.of(problem, onHost);
        Choice answer = answers.get(question);
        if (answer == null) {
            answer = chooseAnew(problem, onHost);
            if (answers.size() >= MOST_ANSWERS) {
                answers.remove(answers.keySet().iterator().next());
            }
            answers.put(question, answer);
        }
        return answer;
    }

    private Choice chooseAnew(AttentionProblem problem, boolean onHost) {
        Set<String> refusals = new LinkedHashSet<>();
        for (Plan plan : inOrder(problem)) {
            if (plan.isOnHost() && !onHost) {
                refusals.add(NEEDS_HOST_TENSORS);
                continue;
            }
            Optional<Choice> choice = choose(plan, problem, refusals);
            if (choice.isPresent()) {
                return choice.get();
            }
        }
        throw new UnsupportedPlanException(wanted.toString(), String.join("; ", refusals));
    }

    /** The plan that was asked for, or all: what was tuned, then what suits the problem, then the others. */
    private List<Plan> inOrder(AttentionProblem problem) {
        if (!isAuto()) {
            return plans.stream()
                    .filter(plan -> plan.name().equals(wanted.plan()))
                    .toList();
        }
        // A plan of another version of this library is none of these.
        String tuned = tuning.fastest(problem)
                .map(found -> found.entry().variant().plan())
                .orElse("");
        List<Plan> ordered = new ArrayList<>(plans);
        // What the processor itself is faster at is not among what is tuned; the rest is the device's.
        ordered.removeIf(plan -> plan.isOnHost() && (!mayUseHost || !plan.suits(problem)));
        ordered.sort(Comparator.comparing((Plan plan) -> !plan.isOnHost())
                .thenComparing(plan -> !plan.name().equals(tuned))
                .thenComparing(plan -> !plan.suits(problem)));
        return ordered;
    }

    private Optional<Choice> choose(Plan plan, AttentionProblem problem, Set<String> refusals) {
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
                return Optional.of(new Choice(plan, wanted.tunables(), "asked for"));
            }
            unfit += "; what was asked for does not fit: " + whyNot.get();
        }
        Optional<TuningDatabase.Found> tuned =
                isAuto() ? tuning.fastest(problem).filter(found -> isOf(plan, found)) : Optional.empty();
        tuned = tuned.or(() -> tuning.fastestOf(plan.name(), problem));
        if (tuned.isPresent()) {
            Tunables tunables = tuned.get().entry().variant().tunables();
            Optional<String> whyNot = whyNot(plan, problem, tunables);
            if (whyNot.isEmpty()) {
                return Optional.of(new Choice(plan, tunables, asked + tuned.get() + unfit));
            }
            unfit += "; what was " + tuned.get() + " does not fit: " + whyNot.get();
        }
        Optional<String> excess = Optional.empty();
        for (Tunables tunables : plan.defaults(problem)) {
            Optional<String> whyNot = plan.whyNot(problem, tunables);
            if (whyNot.isEmpty()) {
                excess = loopExcess(plan, problem, tunables);
                if (excess.isPresent()) {
                    continue;
                }
                String why = asked + "default for " + deviceClass + " devices" + unfit;
                return Optional.of(new Choice(plan, tunables, why));
            }
            unfit += "; " + tunables + " does not fit: " + whyNot.get();
        }
        if (excess.isPresent()) {
            unfit += "; " + plan.name() + " has " + excess.get();
        }
        refusals.add(unfit.substring(2));
        if (excess.isPresent()) {
            // Once, and behind all that it is advice for.
            refusals.remove(loopLimit.advice());
            refusals.add(loopLimit.advice());
        }
        return Optional.empty();
    }

    /** Returns why tunables cannot be taken: they do not fit, or the device would cut their loops short. */
    private Optional<String> whyNot(Plan plan, AttentionProblem problem, Tunables tunables) {
        return plan.whyNot(problem, tunables).or(() -> loopExcess(plan, problem, tunables));
    }

    private Optional<String> loopExcess(Plan plan, AttentionProblem problem, Tunables tunables) {
        return loopLimit.isNone() || plan.isOnHost()
                ? Optional.empty()
                : loopLimit.whyNot(plan.name(), problem, plan.division(problem, tunables, 0));
    }

    private static boolean isOf(Plan plan, TuningDatabase.Found found) {
        return found.entry().variant().plan().equals(plan.name());
    }

    /**
     * What is worth timing: of each plan that may be taken and can do the problem, first what it would take itself,
     * then its candidates as far as they fit.
     *
     * @return first of all what {@link #choose} picks for tensors on the device
     */
    List<Variant> variants(AttentionProblem problem) {
        Set<Variant> variants = new LinkedHashSet<>();
        for (Plan plan : inOrder(problem)) {
            if (plan.isOnHost() && isAuto()) {
                continue;
            }
            Optional<Choice> own = choose(plan, problem, new LinkedHashSet<>());
            if (own.isEmpty()) {
                continue;
            }
            variants.add(new Variant(plan.name(), own.get().tunables()));
            for (Tunables tunables : plan.candidates(problem)) {
                if (whyNot(plan, problem, tunables).isEmpty()) {
                    variants.add(new Variant(plan.name(), tunables));
                }
            }
        }
        return List.copyOf(variants);
    }

    /**
     * Just this plan with just these tunables.
     *
     * @param onHost as for {@link #choose(AttentionProblem, boolean)}
     * @throws UnsupportedPlanException if that cannot be
     */
    Choice insist(AttentionProblem problem, boolean onHost, Variant variant) {
        for (Plan plan : plans) {
            if (plan.name().equals(variant.plan())) {
                Optional<String> whyNot = plan.isOnHost() && !onHost
                        ? Optional.of(NEEDS_HOST_TENSORS)
                        : plan.whyNot(problem).or(() -> whyNot(plan, problem, variant.tunables()));
                if (whyNot.isPresent()) {
                    throw new UnsupportedPlanException(variant.toString(), whyNot.get());
                }
                return new Choice(plan, variant.tunables(), "asked for");
            }
        }
        throw new IllegalArgumentException("variant: " + variant + ", must be of one of " + names());
    }

    /** Ends what plans have beside kernels. */
    void close() {
        for (Plan plan : plans) {
            if (plan instanceof HostPlan host) {
                host.close();
            }
        }
    }
}
