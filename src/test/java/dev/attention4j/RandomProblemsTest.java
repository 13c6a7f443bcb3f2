package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every option alone and in random combinations, on every engine, against the oracle. */
class RandomProblemsTest {
    private static final int OPTIONS = 15;
    private static final int ALONE = 25;
    private static final int COMBINED = 300;

    /** Emulators build kernels slowly: unless {@code -Dgrid=full} is given theirs are fewer problems, of few builds. */
    private static final int ALONE_ON_EMULATOR = 1;

    private static final int COMBINED_ON_EMULATOR = 12;

    private static final int WIDEST_OF_COMMON_BUILD = 32;

    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest());
    }

    private static boolean isSlow(EnginePlan enginePlan) {
        return enginePlan.info().kind() == EngineInfo.Kind.EMULATOR && !"full".equals(System.getProperty("grid"));
    }

    @ParameterizedTest
    @MethodSource("plans")
    void eachOptionAlone(EnginePlan enginePlan) {
        int problems = isSlow(enginePlan) ? ALONE_ON_EMULATOR : ALONE;
        try (AttentionEngine engine = enginePlan.open()) {
            for (int each = 0; each < OPTIONS; each++) {
                int option = each;
                LongStream.range(0, ALONE)
                        .mapToObj(n -> RandomProblem.draw(1000L * option + n, option))
                        .filter(problem -> !isSlow(enginePlan) || isOfCommonBuild(problem))
                        .limit(problems)
                        .forEach(problem -> check(engine, problem));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("plans")
    void randomCombinations(EnginePlan enginePlan) {
        int problems = isSlow(enginePlan) ? COMBINED_ON_EMULATOR : COMBINED;
        // Scratch for few rows at a time, in every third problem, so that blocks of slices and of queries are walked.
        try (AttentionEngine engine = enginePlan.open();
                AttentionEngine small = enginePlan.open(TestEngines.options().withMaxScratchBytes(1200))) {
            int computed = 0;
            int drawn = 0;
            for (int n = 0; drawn < problems; n++) {
                RandomProblem problem = RandomProblem.draw(42_000 + n);
                if (!isSlow(enginePlan) || isOfCommonBuild(problem)) {
                    drawn++;
                    computed += check(n % 3 == 0 ? small : engine, problem) ? 1 : 0;
                }
            }
            assertThat(computed).as("computed").isGreaterThan(problems / 2);
        }
    }

    /** For what has nothing to do with a compiler: emulators take half a minute to build what it takes. */
    static List<EnginePlan> quickWays() {
        return plans().stream().filter(enginePlan -> !isSlow(enginePlan)).toList();
    }

    /**
     * Large scores: slopes of ALiBi and log-sum-exps that were rounded once more than by plain float code; and few rows, in
     * which plain code's first order of sums has small errors by luck.
     */
    @ParameterizedTest
    @MethodSource("quickWays")
    void problemsThatWereWrongOnce(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            for (long seed : new long[] {100_386, 100_485, 100_833}) {
                check(engine, RandomProblem.draw(seed));
            }
        }
    }

    /** Whether each plan needs one build for all of these; StorageTest, DropoutTest and the tests of caches have the other builds. */
    private static boolean isOfCommonBuild(RandomProblem problem) {
        return problem.key().dtype() == DType.FLOAT32
                && problem.attention().pageTable().isEmpty()
                && problem.attention().dropoutRate() == 0
                && problem.value().size(3) <= WIDEST_OF_COMMON_BUILD;
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
