package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.conformance.problems.RandomProblem;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every option alone and in random combinations, on every engine, against the oracle. */
class RandomProblemsTest {
    private static final int OPTIONS = 13;
    private static final int ALONE = 25;
    private static final int COMBINED = 300;

    /**
     * Emulators build kernels slowly; theirs are fewer problems, not other ones, unless {@code -Dgrid=full} is given.
     */
    private static final int ALONE_ON_EMULATOR = 1;

    private static final int COMBINED_ON_EMULATOR = 12;

    static List<Way> ways() {
        return Way.of(TestEngines.underTest());
    }

    private static boolean isSlow(Way way) {
        return way.info().kind() == EngineInfo.Kind.EMULATOR && !"full".equals(System.getProperty("grid"));
    }

    @ParameterizedTest
    @MethodSource("ways")
    void eachOptionAlone(Way way) {
        int problems = isSlow(way) ? ALONE_ON_EMULATOR : ALONE;
        try (AttentionEngine engine = way.open()) {
            for (int option = 0; option < OPTIONS; option++) {
                for (int n = 0; n < problems; n++) {
                    check(engine, RandomProblem.draw(1000L * option + n, option));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void randomCombinations(Way way) {
        int problems = isSlow(way) ? COMBINED_ON_EMULATOR : COMBINED;
        // Scratch for few rows at a time, in every third problem, so that blocks of slices and of queries are walked.
        try (AttentionEngine engine = way.open();
                AttentionEngine small = way.open(TestEngines.options().withMaxScratchBytes(1200))) {
            int computed = 0;
            for (int n = 0; n < problems; n++) {
                computed += check(n % 3 == 0 ? small : engine, RandomProblem.draw(42_000 + n)) ? 1 : 0;
            }
            assertThat(computed).as("computed").isGreaterThan(problems / 2);
        }
    }

    /** For what has nothing to do with a compiler: emulators take half a minute to build what it takes. */
    static List<Way> quickWays() {
        return ways().stream().filter(way -> !isSlow(way)).toList();
    }

    /** Large scores: slopes of ALiBi and log-sum-exps that were rounded once more than by plain float code. */
    @ParameterizedTest
    @MethodSource("quickWays")
    void problemsThatWereWrongOnce(Way way) {
        try (AttentionEngine engine = way.open()) {
            for (long seed : new long[] {100_485, 100_833}) {
                check(engine, RandomProblem.draw(seed));
            }
        }
    }

    /** Returns whether it was computed. A plan that cannot return weights is checked without them. */
    private static boolean check(AttentionEngine engine, RandomProblem problem) {
        return check(engine, problem, problem.attention());
    }

    private static boolean check(AttentionEngine engine, RandomProblem problem, Attention attention) {
        try {
            engine.explain(AttentionProblem.of(problem.query(), problem.key(), problem.value(), attention));
        } catch (UnsupportedPlanException e) {
            if (e.getMessage().contains("(a bug)")) {
                // Of the driver: better refused than wrong.
                return false;
            }
            assertThat(attention.wantsWeights()).as(e.getMessage()).isTrue();
            return check(engine, problem, attention.toBuilder().weights(false).build());
        }
        YardstickCheck.check(engine, problem.query(), problem.key(), problem.value(), attention, problem.reproduce());
        return true;
    }
}
