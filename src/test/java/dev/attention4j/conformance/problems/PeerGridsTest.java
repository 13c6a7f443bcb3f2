package dev.attention4j.conformance.problems;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.measure.SampledOracle;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.testing.EnginePlan;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The grids on which the peers test their attention, on every engine and every plan: a covering part of each,
 * and with {@code -Dgrid=full} all of it. {@code -Dgrid.seed=N} covers by other cases, and
 * {@code -Dgrid.case=NAME} runs one alone.
 *
 * <p>A case is a test of its own, but engines are opened once for a grid: opening one takes longer than most cases.
 */
class PeerGridsTest {
    /**
     * The plan tiles is meant for GPUs, whose compilers are quick. Those for CPUs take seconds for each width of
     * values, rounded up to this, and each storage.
     */
    private static final int BUILD_DIMS = 32;

    private static final boolean FULL = "full".equals(System.getProperty("grid", "fast"));
    private static final long SEED = Long.getLong("grid.seed", 1);
    private static final String ONE = System.getProperty("grid.case");

    /** Operations that pairs of axes may take, of each grid. */
    private static final double EFFORT = 3e9;

    /** The same for emulators, which are a thousand times slower, and build kernels for half a minute: float32 alone. */
    private static final double EMULATOR_EFFORT = 1e8;

    /**
     * The most that one work-item does on an emulator, in steps of a key, a width and as many rows as a vector has
     * lanes: of more llvmpipe, which ends loops, would be given little but to refuse.
     */
    private static final double EMULATOR_STEPS = 1 << 14;

    private static final int LANES = 8;

    /** Operations of the oracle for one case. */
    private static final double ORACLE_FLOPS = 2e7;

    @TestFactory
    Stream<DynamicTest> flashAttention() {
        return cases(PeerGrids.flashAttention());
    }

    @TestFactory
    Stream<DynamicTest> pyTorch() {
        return cases(PeerGrids.pyTorch());
    }

    @TestFactory
    Stream<DynamicTest> xFormers() {
        return cases(PeerGrids.xFormers());
    }

    @TestFactory
    Stream<DynamicTest> ggml() {
        return cases(PeerGrids.ggml());
    }

    private static Stream<DynamicTest> cases(List<GridCase> grid) {
        Set<String> names = new LinkedHashSet<>();
        grid.forEach(
                one -> assertThat(names.add(one.toString())).as(one + " twice").isTrue());
        Ways quick = new Ways(kind -> kind != EngineInfo.Kind.EMULATOR);
        Ways emulators = new Ways(kind -> kind == EngineInfo.Kind.EMULATOR);
        List<GridCase> chosen = FULL ? grid : Covering.select(grid, SEED, EFFORT);
        List<GridCase> small = emulators.isEmpty()
                ? List.of()
                : Covering.select(
                        grid.stream()
                                .filter(one -> FULL || one.dtype() == DType.FLOAT32)
                                .filter(one -> steps(one) <= EMULATOR_STEPS)
                                .toList(),
                        SEED,
                        EMULATOR_EFFORT);
        if (ONE != null) {
            chosen = grid.stream().filter(one -> one.toString().equals(ONE)).toList();
            small = List.of();
        } else {
            System.out.printf(
                    "%s: %d of %d cases on %s, %d on %s, seed %d (-Dgrid=full for all)%n",
                    grid.get(0).peer(), chosen.size(), grid.size(), quick, small.size(), emulators, SEED);
        }
        List<DynamicTest> tests = new ArrayList<>();
        chosen.forEach(one -> tests.add(DynamicTest.dynamicTest(one.toString(), () -> quick.check(one))));
        small.forEach(one -> tests.add(DynamicTest.dynamicTest(one + " emulated", () -> emulators.check(one))));
        // Flash-attention's grid has no case that is small enough for an emulator.
        boolean emulated = !small.isEmpty();
        if (ONE == null) {
            tests.add(DynamicTest.dynamicTest("every plan computed some cases", () -> {
                assertThat(quick.idle()).isEmpty();
                if (emulated) {
                    assertThat(emulators.idle()).isEmpty();
                }
            }));
        }
        return tests.stream().onClose(quick::close).onClose(emulators::close);
    }

    /** Steps that a work-item takes for one key/value head's rows, of which {@link #LANES} are taken together. */
    private static double steps(GridCase one) {
        AttentionShape shape = one.shape();
        int group = shape.queryHeads() / shape.keyValueHeads();
        long rows = ((long) group * shape.queryLength() + LANES - 1) / LANES;
        int widths = shape.headDim() + shape.valueDim() + 16;
        return 1.0 * rows * shape.keyLength() * widths * (one.dtype() == DType.FLOAT32 ? 1 : 2);
    }

    /** Whether a way is among the few builds that the covering part makes. */
    private static boolean hasBuildFor(EnginePlan enginePlan, AttentionProblem problem) {
        EngineInfo.Kind kind = enginePlan.info().kind();
        boolean slow = kind == EngineInfo.Kind.EMULATOR || kind == EngineInfo.Kind.OPENCL_CPU;
        return !slow || !enginePlan.plan().equals(ForwardTiles.NAME) || (problem.valueDim() - 1) / BUILD_DIMS == 1;
    }

    /** Engines of some kinds, each opened once for each plan. */
    private static final class Ways implements AutoCloseable {
        private final Map<EnginePlan, AttentionEngine> engines = new LinkedHashMap<>();
        private final Set<EnginePlan> used = new LinkedHashSet<>();

        Ways(Predicate<EngineInfo.Kind> kinds) {
            List<EngineInfo> chosen = TestEngines.underTest().stream()
                    .filter(info -> kinds.test(info.kind()))
                    .toList();
            EnginePlan.of(chosen).forEach(enginePlan -> engines.put(enginePlan, enginePlan.open()));
        }

        boolean isEmpty() {
            return engines.isEmpty();
        }

        void check(GridCase one) {
            Inputs inputs = one.inputs();
            SampledOracle sample = SampledOracle.of(inputs, ORACLE_FLOPS);
            List<String> objections = new ArrayList<>();
            engines.forEach((enginePlan, engine) -> {
                objection(enginePlan, engine, inputs, sample)
                        .ifPresent(objection ->
                                objections.add(enginePlan + " (" + engine.info().name() + ", driver "
                                        + engine.info().driver() + "): " + objection));
            });
            assertThat(objections)
                    .as("mvn test -Dtest=PeerGridsTest -Dgrid.case=" + one)
                    .isEmpty();
        }

        private Optional<String> objection(
                EnginePlan enginePlan, AttentionEngine engine, Inputs inputs, SampledOracle sample) {
            if (!FULL && ONE == null && !hasBuildFor(enginePlan, inputs.problem())) {
                return Optional.empty();
            }
            try {
                engine.explain(inputs.problem());
            } catch (UnsupportedPlanException e) {
                // What a plan refuses is given to another; a driver that cuts loops short may leave a plan none.
                if (e.getMessage().contains("(a bug)")) {
                    used.add(enginePlan);
                }
                return Optional.empty();
            }
            used.add(enginePlan);
            try (AttentionResult result =
                    engine.attend(inputs.query(), inputs.key(), inputs.value(), inputs.attention())) {
                return sample.whyWrong(result);
            }
        }

        /** Returns what has computed nothing at all, though its driver would let it. */
        Set<EnginePlan> idle() {
            Set<EnginePlan> idle = new LinkedHashSet<>(engines.keySet());
            idle.removeAll(used);
            return idle;
        }

        @Override
        public void close() {
            engines.values().forEach(AttentionEngine::close);
        }

        @Override
        public String toString() {
            return engines.keySet().toString();
        }
    }
}
