package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.Handles;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every option alone and in random combinations, on every engine, against the oracle. */
class RandomProblemsTest {
    private static final int OPTIONS = 8;
    private static final int ALONE = 25;
    private static final int COMBINED = 300;

    /** Emulators build kernels slowly; theirs are fewer problems, not other ones. */
    private static final int COMBINED_ON_EMULATOR = 40;

    static List<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    @AfterEach
    void noHandleIsAlive() {
        assertThat(Handles.live()).as(Handles.report()).isZero();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void eachOptionAlone(EngineInfo info) {
        int problems = info.kind() == EngineInfo.Kind.EMULATOR ? 3 : ALONE;
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int option = 0; option < OPTIONS; option++) {
                for (int n = 0; n < problems; n++) {
                    check(engine, RandomProblem.draw(1000L * option + n, option));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void randomCombinations(EngineInfo info) {
        int problems = info.kind() == EngineInfo.Kind.EMULATOR ? COMBINED_ON_EMULATOR : COMBINED;
        // Scratch for few rows at a time, in every third problem, so that blocks of slices and of queries are walked.
        try (AttentionEngine engine = TestEngines.open(info);
                AttentionEngine small =
                        Engines.open(info.id(), TestEngines.options().withMaxScratchBytes(1200))) {
            for (int n = 0; n < problems; n++) {
                check(n % 3 == 0 ? small : engine, RandomProblem.draw(42_000 + n));
            }
        }
    }

    private static void check(AttentionEngine engine, RandomProblem problem) {
        Yardstick.check(
                engine, problem.query(), problem.key(), problem.value(), problem.attention(), problem.reproduce());
    }
}
