package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineOptions;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import dev.attention4j.testing.PlainProjection;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** On a device that cuts loops short (Rusticl's llvmpipe) a problem is right or refused, and never wrong. */
class LoopLimitTest {
    private static final int WIDTH = 64;

    /** Another type is another build, of half a minute; iterations do not depend on it. */
    private static final boolean FULL = "full".equals(System.getProperty("grid"));

    static List<ClDevice> devices() {
        TestEngines.openCl();
        List<ClDevice> limited = Devices.find().devices().stream()
                .filter(device -> device.quirks().has(Quirk.LOOP_LIMIT))
                .toList();
        assertThat(limited).as("llvmpipe").isNotEmpty();
        return limited;
    }

    private static OpenClEngine open(ClDevice device, String plan) {
        return new OpenClEngine(
                OpenClProvider.info(device), device, TestEngines.options().withPlan(plan));
    }

    /** Sizes around which work-items of one plan or another have too much to do. */
    @ParameterizedTest
    @MethodSource("devices")
    void everyPlanIsRightOrRefuses(ClDevice device) {
        for (String plan : List.of("rows", "decode", "tiles", "staged")) {
            int right = 0;
            int refused = 0;
            try (OpenClEngine engine = open(device, plan)) {
                for (int queries : new int[] {1, 9}) {
                    for (int keys : new int[] {15, 25, 60, 105, 200, 330, 1000}) {
                        for (AttentionBuilder attention : List.of(Attention.builder(), edges(queries, keys))) {
                            boolean done = attend(engine, queries, keys, DType.FLOAT32, attention);
                            right += done ? 1 : 0;
                            refused += done ? 0 : 1;
                        }
                    }
                }
            }
            assertThat(right).as("computed by " + plan).isPositive();
            if (!plan.equals("staged")) {
                assertThat(refused).as("refused by " + plan).isPositive();
            }
        }
    }

    /** The bound itself: one key more is refused, and with it all loops still run to their end, at any width. */
    @ParameterizedTest
    @MethodSource("devices")
    void theLargestProblemsAcceptedAreRight(ClDevice device) {
        for (String plan : List.of("rows", "decode", "tiles", "staged")) {
            try (OpenClEngine engine = open(device, plan)) {
                for (int queries : new int[] {1, 9}) {
                    for (int width : new int[] {1, WIDTH, 200}) {
                        checkLargest(engine, queries, width, DType.FLOAT32);
                    }
                    if (FULL) {
                        checkLargest(engine, queries, WIDTH, DType.FLOAT16);
                    }
                }
            }
        }
    }

    private static void checkLargest(OpenClEngine engine, int queries, int width, DType dtype) {
        int accepted = 0;
        for (int step = 4096; step > 0; step /= 2) {
            accepted += isAccepted(engine, queries, accepted + step, width, dtype) ? step : 0;
        }
        String name = engine.plans() + ", " + queries + " queries, width " + width + ", " + dtype;
        assertThat(accepted).as(name).isBetween(1, 8190);
        boolean[] attends = new boolean[queries * accepted];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % 3 != 1;
        }
        Attention attention = edges(queries, accepted)
                .mask(Tensor.of(attends, queries, accepted))
                .build();
        YardstickCheck.check(
                engine,
                Tensor.random(1, 1, 1, queries, width).to(dtype),
                Tensor.random(2, 1, 1, accepted, width).to(dtype),
                Tensor.random(3, 1, 1, accepted, width).to(dtype),
                attention,
                name + ", " + accepted + " keys");
    }

    private static boolean isAccepted(OpenClEngine engine, int queries, int keys, int width, DType dtype) {
        Attention attention = edges(queries, keys).build();
        AttentionProblem problem = new AttentionProblem(1, 1, 1, queries, keys, width, width, dtype, attention);
        try {
            return !engine.explain(problem).plan().isEmpty();
        } catch (UnsupportedPlanException e) {
            return false;
        }
    }

    private static AttentionBuilder edges(int queries, int keys) {
        Tensor bias = Tensor.random(4, queries, keys);
        return Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .softcap(5)
                .bias(bias)
                .logSumExp(true);
    }

    /** Whether it was computed, and right. */
    private static boolean attend(OpenClEngine engine, int queries, int keys, DType dtype, AttentionBuilder attention) {
        Tensor query = Tensor.random(1, 1, 1, queries, WIDTH).to(dtype);
        Tensor key = Tensor.random(2, 1, 1, keys, WIDTH).to(dtype);
        Tensor value = Tensor.random(3, 1, 1, keys, WIDTH).to(dtype);
        String name = engine.plans() + " " + queries + " x " + keys + " in " + dtype;
        try {
            YardstickCheck.check(engine, query, key, value, attention.build(), name);
            return true;
        } catch (UnsupportedPlanException e) {
            assertThat(e).hasMessageContaining("ends after 65,535 (a bug)").hasMessageContaining("\"cpu\"");
            return false;
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatOnePlanWouldNotGetDoneAnotherDoes(ClDevice device) {
        try (OpenClEngine engine = open(device, EngineOptions.AUTO)) {
            // More keys than the loops of the other plans get done.
            assertThat(attend(engine, 1, 3000, DType.FLOAT32, Attention.builder()))
                    .isTrue();
            assertThat(attend(engine, 40, 400, DType.FLOAT32, Attention.builder()))
                    .isTrue();
            assertThat(attend(engine, 40, 400, DType.FLOAT16, edges(40, 400))).isTrue();
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatNoPlanWouldGetDoneIsRefused(ClDevice device) {
        Attention weights = Attention.builder().weights(true).build();
        AttentionProblem problem = new AttentionProblem(1, 1, 1, 1, 50_000, 8, 8, DType.FLOAT32, weights);
        try (OpenClEngine engine = open(device, EngineOptions.AUTO)) {
            assertThatExceptionOfType(UnsupportedPlanException.class)
                    .isThrownBy(() -> engine.explain(problem))
                    .withMessageContaining("staged has loops of up to ")
                    .withMessageContaining("which the driver ends after 65,535 (a bug)")
                    .withMessageContaining(device + " can do smaller problems only");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void projectionsAreRightOrRefused(ClDevice device) {
        try (OpenClEngine engine = open(device, EngineOptions.AUTO)) {
            Projector projector = engine.projector();
            for (int inputs : new int[] {100, 1000, 2900}) {
                Tensor input = Tensor.random(1, 1, 3, inputs);
                Tensor kernel = Tensor.random(2, inputs, 1, 5);
                PlainProjection plain = new PlainProjection(input.reshape(1, 1, 3, inputs), null, kernel, null);
                try (Projection projection = projector.prepare(kernel, null)) {
                    plain.check(
                            inputs + " inputs on " + device,
                            projector.toHeads(input, List.of(projection)).get(0));
                }
            }
            Tensor wide = Tensor.zeros(DType.FLOAT32, 1, 1, 60_000);
            try (Projection projection = projector.prepare(Tensor.zeros(DType.FLOAT32, 60_000, 1, 1), null)) {
                assertThatExceptionOfType(DeviceException.class)
                        .isThrownBy(() -> projector.toHeads(wide, List.of(projection)))
                        .withMessageContaining("a projection of 60000 inputs: loops of up to ")
                        .withMessageContaining("ends after 65,535 (a bug)")
                        .withMessageContaining("\"cpu\"");
            }
        }
    }
}
