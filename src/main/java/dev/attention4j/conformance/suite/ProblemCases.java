package dev.attention4j.conformance.suite;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.problems.GridCase;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.measure.SampledOracle;
import dev.attention4j.measure.ScoreOption;
import dev.attention4j.reference.Yardstick;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Collects cases that ask an engine about one problem. Unless they ask something else, they ask for all results and hold
 * each to the yardstick; plans that cannot return weights return the rest.
 */
final class ProblemCases {
    /** Operations of the oracle for one problem of a grid. */
    private static final double ORACLE_FLOPS = 2e7;

    /** Rows that a vector or a tile has at least. */
    private static final int LEAST_ROWS = 16;

    static final int BATCH = 2;
    static final int HEADS = 4;
    static final int QUERIES = 19;
    static final int KEYS = 37;

    /** Grouped heads, and no size that is a multiple of a vector or tile; quick enough for an emulator. */
    static final AttentionShape SMALL = new AttentionShape(BATCH, HEADS, 2, QUERIES, KEYS, 18, 20, ScoreOption.NONE);

    private final List<ConformanceCase> cases = new ArrayList<>();

    /** Asks an engine something about one problem. */
    @FunctionalInterface
    interface Question {
        Finding ask(AttentionEngine engine, Inputs inputs, Yardstick yardstick);
    }

    /** All that were added, in order. */
    List<ConformanceCase> all() {
        return List.copyOf(cases);
    }

    void add(ConformanceCase one) {
        cases.add(one);
    }

    void add(String name, AttentionBuilder attention) {
        add(name, SMALL, attention);
    }

    void add(String name, AttentionShape shape, AttentionBuilder attention) {
        add(name, DType.FLOAT32, shape, attention);
    }

    void add(String name, DType dtype, AttentionShape shape, AttentionBuilder attention) {
        add(of(
                name,
                shape.problem(dtype, attention.logSumExp(true).weights(true).build())));
    }

    void add(String name, AttentionProblem problem, Question question) {
        add(of(name, problem, () -> Inputs.of(problem), question));
    }

    /** An operation to add options to. */
    static AttentionBuilder attention() {
        return Attention.builder();
    }

    /** The small problem with an operation, in float32. */
    static AttentionProblem small(Attention attention) {
        return SMALL.problem(DType.FLOAT32, attention);
    }

    /** A problem with normally distributed tensors. */
    static ConformanceCase of(String name, AttentionProblem problem) {
        return of(name, problem, () -> Inputs.of(problem));
    }

    /** A problem with tensors of its own. */
    static ConformanceCase of(String name, AttentionProblem problem, Supplier<Inputs> inputs) {
        return of(
                name,
                problem,
                inputs,
                (engine, drawn, yardstick) -> measured(yardstick, engine, drawn, asked(engine, drawn)));
    }

    private static ConformanceCase of(
            String name, AttentionProblem problem, Supplier<Inputs> inputs, Question question) {
        return new ConformanceCase(
                name, flops(problem), problem.valueDim(), problem.dtype(), () -> check(inputs.get(), question));
    }

    private static ConformanceCase.Check check(Inputs inputs, Question question) {
        Yardstick yardstick = Yardstick.of(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        return engine -> question.ask(engine, inputs, yardstick);
    }

    /** Holds every result of a problem to the yardstick. */
    static ConformanceCase.Check check(Inputs inputs) {
        return check(inputs, (engine, drawn, yardstick) -> measured(yardstick, engine, drawn, asked(engine, drawn)));
    }

    /** The random problem of a seed. */
    static ConformanceCase random(long seed) {
        AttentionProblem problem = RandomProblem.draw(seed).inputs().problem();
        return of("random/" + seed, problem, () -> RandomProblem.draw(seed).inputs());
    }

    /** A problem of a peer's grid: as many of its rows are measured as an effort allows. */
    static ConformanceCase grid(GridCase grid) {
        return new ConformanceCase(grid.toString(), grid.flops(), grid.shape().valueDim(), grid.dtype(), () -> {
            Inputs inputs = grid.inputs();
            SampledOracle sample = SampledOracle.of(inputs, ORACLE_FLOPS);
            return engine -> {
                try (AttentionResult result = attend(engine, inputs, inputs.attention())) {
                    return Finding.of(sample.measure(result)).wrong(sample.disagreement(result));
                }
            };
        });
    }

    /** Without the weights, where the engine's plan cannot return them. */
    private static Attention asked(AttentionEngine engine, Inputs inputs) {
        try {
            engine.explain(inputs.problem());
            return inputs.attention();
        } catch (UnsupportedPlanException e) {
            if (!inputs.attention().wantsWeights()) {
                throw e;
            }
            return inputs.attention().toBuilder().weights(false).build();
        }
    }

    /** Holds the result of one call to the yardstick. */
    static Finding measured(Yardstick yardstick, AttentionEngine engine, Inputs inputs, Attention asked) {
        try (AttentionResult result = attend(engine, inputs, asked)) {
            return Finding.of(yardstick.measure(result, asked));
        }
    }

    static AttentionResult attend(AttentionEngine engine, Inputs inputs, Attention asked) {
        return engine.attend(inputs.query(), inputs.key(), inputs.value(), asked);
    }

    /** As if every query saw every key, and were no fewer than a vector or tile takes: that costs some plans as much. */
    private static double flops(AttentionProblem problem) {
        return 2.0
                * problem.batch()
                * problem.queryHeads()
                * Math.max(LEAST_ROWS, problem.queryLength())
                * problem.keyLength()
                * (problem.headDim() + problem.valueDim());
    }
}
