package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.conformance.problems.RandomGradients;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of random problems, with every option alone and in combinations, on every engine, against the oracle. */
class RandomGradientsTest {
    private static final boolean FULL = "full".equals(System.getProperty("grid"));
    private static final int OPTIONS = 16;
    private static final int ALONE = FULL ? 20 : 2;
    private static final int COMBINED = FULL ? 300 : 40;

    static List<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    /** An emulator takes half a minute to build the kernels of a problem. */
    private static int fewer(EngineInfo info, int problems) {
        return info.kind() == EngineInfo.Kind.EMULATOR && !FULL ? 1 : problems;
    }

    @ParameterizedTest
    @MethodSource("engines")
    void eachOptionAlone(EngineInfo info) {
        List<String> wrong = new ArrayList<>();
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int n = 0; n < fewer(info, OPTIONS * ALONE); n++) {
                check(engine, RandomGradients.draw(7000 + n, n % OPTIONS), wrong);
            }
        }
        assertThat(wrong).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void randomCombinations(EngineInfo info) {
        List<String> wrong = new ArrayList<>();
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int n = 0; n < fewer(info, COMBINED); n++) {
                check(engine, RandomGradients.draw(9000 + n, -1), wrong);
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static void check(AttentionEngine engine, RandomGradients drawn, List<String> wrong) {
        try (AttentionResult result = engine.attend(drawn.query(), drawn.key(), drawn.value(), drawn.attention());
                AttentionGradients gradients = engine.gradients(
                        drawn.query(),
                        drawn.key(),
                        drawn.value(),
                        drawn.attention(),
                        result,
                        drawn.outputGradient(),
                        drawn.options())) {
            new GradientYardstick(drawn.call(result))
                    .measure(gradients).stream()
                            .filter(deviation -> !deviation.isAllowed())
                            .forEach(deviation -> wrong.add(deviation + "\n  " + drawn.reproduce()));
        }
    }
}
