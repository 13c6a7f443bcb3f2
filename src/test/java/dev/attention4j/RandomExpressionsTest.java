package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.conformance.problems.RandomExpression;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random expressions on random small problems, on every engine and plan, against the oracle. */
class RandomExpressionsTest {
    /** Of expressions, each of which some of the keys have. */
    private static final int PARTS = 500;

    /** Kernels are built for each expression of about 15 parts: fewer there, unless {@code -Dgrid=full} is given. */
    private static final int PARTS_IN_KERNELS = 1;

    private static final boolean FULL = "full".equals(System.getProperty("grid"));

    /** Of emulators the plan whose kernel is small: they take half a minute to build another. */
    static List<EnginePlan> plans() {
        return EnginePlan.of(TestEngines.underTest()).stream()
                .filter(one -> FULL
                        || one.info().kind() != EngineInfo.Kind.EMULATOR
                        || one.plan().equals("staged"))
                .toList();
    }

    private static int parts(EnginePlan enginePlan) {
        return FULL || !enginePlan.info().isOpenCl() ? PARTS : PARTS_IN_KERNELS;
    }

    @ParameterizedTest
    @MethodSource("plans")
    void agreeWithTheOracle(EnginePlan enginePlan) {
        try (AttentionEngine engine = enginePlan.open()) {
            List<String> wrong = new ArrayList<>();
            int parts = 0;
            for (long seed = 0; parts < parts(enginePlan); seed++) {
                RandomExpression drawn = RandomExpression.draw(seed);
                parts += drawn.parts();
                Tensor query = Tensor.random(3 * seed, 2, 4, 19, 8);
                Tensor key = Tensor.random(3 * seed + 1, 2, 2, 70, 8);
                Tensor value = Tensor.random(3 * seed + 2, 2, 2, 70, 8);
                Attention attention = drawn.addTo(Attention.builder())
                        .align(seed % 2 == 0 ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT)
                        .logSumExp(true)
                        .build();
                Yardstick yardstick = Yardstick.of(query, key, value, attention);
                try (AttentionResult result = engine.attend(query, key, value, attention)) {
                    for (Deviation deviation : yardstick.measure(result, attention)) {
                        if (!deviation.isAllowed()) {
                            wrong.add("RandomExpression.draw(" + seed + "): " + deviation);
                        }
                    }
                }
            }
            assertThat(wrong).isEmpty();
        }
    }
}
