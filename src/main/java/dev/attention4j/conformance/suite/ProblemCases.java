package dev.attention4j.conformance.suite;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.problems.GridCase;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.measure.SampledOracle;
import dev.attention4j.reference.Yardstick;
import java.util.function.Supplier;

/** Cases that are one problem, whose results are held to the yardstick. */
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
    static final AttentionShape SMALL =
            new AttentionShape(BATCH, HEADS, 2, QUERIES, KEYS, 18, 20, AttentionShape.Restriction.NONE);

    /** Operations of a call on that, more or less. */
    static final double SMALL_FLOPS = 5e5;

    private ProblemCases() {}

    /** An operation to add options to. */
    static AttentionBuilder attention() {
        return Attention.builder();
    }

    /** The small problem with an operation, in float32. */
    static AttentionProblem small(Attention attention) {
        return SMALL.problem(DType.FLOAT32, attention);
    }

    /** A problem with normally distributed tensors. */
    static SuiteCase of(String name, AttentionProblem problem) {
        return of(name, problem, () -> Inputs.of(problem));
    }

    /** A problem with tensors of its own; all of its results are measured. */
    static SuiteCase of(String name, AttentionProblem problem, Supplier<Inputs> inputs) {
        return new SuiteCase(name, flops(problem), problem.valueDim(), problem.dtype(), () -> check(inputs.get()));
    }

    /** The random problem of a seed. */
    static SuiteCase random(long seed) {
        AttentionProblem problem = RandomProblem.draw(seed).inputs().problem();
        return of("random/" + seed, problem, () -> RandomProblem.draw(seed).inputs());
    }

    /** A problem of a peer's grid: as many of its rows are measured as an effort allows. */
    static SuiteCase grid(GridCase grid) {
        return new SuiteCase(grid.toString(), grid.flops(), grid.valueDim(), grid.dtype(), () -> {
            Inputs inputs = grid.inputs();
            SampledOracle sample = SampledOracle.of(inputs, ORACLE_FLOPS);
            return engine -> {
                try (AttentionResult result = attend(engine, inputs, inputs.attention())) {
                    return Finding.of(sample.measure(result)).and(Finding.objection(sample.disagreement(result)));
                }
            };
        });
    }

    /** Holds every result of a problem to the yardstick. */
    static SuiteCase.Check check(Inputs inputs) {
        Yardstick yardstick = Yardstick.of(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
        return engine -> {
            Attention asked = asked(engine, inputs);
            try (AttentionResult result = attend(engine, inputs, asked)) {
                return Finding.of(yardstick.measure(result, asked));
            }
        };
    }

    /** Without the weights, where the engine's plan cannot return them. */
    static Attention asked(AttentionEngine engine, Inputs inputs) {
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

    static AttentionResult attend(AttentionEngine engine, Inputs inputs, Attention asked) {
        return engine.attend(inputs.query(), inputs.key(), inputs.value(), asked);
    }

    /** Returns true if two results that hold output and log-sum-exp are the same, bit for bit. */
    static boolean sameBits(AttentionResult one, AttentionResult other) {
        return sameBits(one.output(), other.output()) && sameBits(one.logSumExp(), other.logSumExp());
    }

    private static boolean sameBits(Tensor one, Tensor other) {
        return one.contiguous().bytes().equals(other.contiguous().bytes());
    }

    /** As if every query saw every key, and were no fewer than a vector or tile takes: that costs some plans as much. */
    static double flops(AttentionProblem problem) {
        return 2.0
                * problem.batch()
                * problem.queryHeads()
                * Math.max(LEAST_ROWS, problem.queryLength())
                * problem.keyLength()
                * (problem.headDim() + problem.valueDim());
    }
}
