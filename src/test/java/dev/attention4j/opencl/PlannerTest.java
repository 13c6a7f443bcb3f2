package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tuning;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.LoopLimit;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.opencl.tuning.TuningDatabase;
import dev.attention4j.opencl.tuning.TuningEntry;
import dev.attention4j.opencl.tuning.UserTuning;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is asked for, else what was tuned, else what suits the class; and of these the first that fits. */
class PlannerTest {
    private static final Workload PROBLEM = problem(Attention.DEFAULT);
    private static final Workload WITH_WEIGHTS =
            problem(Attention.builder().weights(true).build());

    @TempDir
    private Path root;

    private Tuning tuning;
    private LoopLimit loopLimit = LoopLimit.NONE;

    @BeforeEach
    void inTheUsersDirectory() {
        tuning = Tuning.in(root.resolve("private").resolve("tuning.json"));
    }

    private static Workload problem(Attention attention) {
        return Workload.of(new AttentionProblem(1, 8, 8, 1024, 1024, 64, 64, DType.FLOAT32, attention), false);
    }

    /** A plan whose tiles of more than {@code most} do not fit; it cannot return weights unless it has no tiles. */
    private record FakePlan(String name, int most) implements AttentionPlan {
        @Override
        public Optional<String> whyNot(Workload problem) {
            return most > 0 && problem.wantsWeights() ? Optional.of("no weights") : Optional.empty();
        }

        @Override
        public List<Tunables> defaults(Workload problem) {
            return most == 0 ? List.of(Tunables.NONE) : List.of(tile(64), tile(32), tile(16));
        }

        @Override
        public List<Tunables> candidates(Workload problem) {
            return most == 0 ? List.of(Tunables.NONE) : List.of(tile(128), tile(64), tile(32), tile(24));
        }

        @Override
        public TunableSpace<?> tunableSpace() {
            return most == 0 ? TunableSpace.NONE : new TunableSpace<>(values -> values[0]).upTo("TILE", 1024);
        }

        @Override
        public Optional<String> whyNot(Workload problem, Tunables tunables) {
            return tunableSpace()
                    .whyNot(tunables)
                    .or(() -> most == 0 || tunables.get("TILE") <= most
                            ? Optional.empty()
                            : Optional.of(tunables + " is above " + most));
        }

        @Override
        public String describe(Workload problem, Tunables tunables) {
            return "tiles of " + tunables;
        }

        @Override
        public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
            return Division.ofHeads(1);
        }

        @Override
        public void enqueue(DeviceCall call) {
            throw new UnsupportedOperationException();
        }

        private static Tunables tile(int size) {
            return Tunables.parse("TILE=" + size);
        }
    }

    private Planner<Workload, AttentionPlan> planner(String wanted, int mostTile) {
        List<AttentionPlan> plans = List.of(new FakePlan("tiles", mostTile), new FakePlan("staged", 0));
        TuningDatabase database = TuningDatabase.open(tuning, "A GPU", "2.0");
        return Planner.ofAttention(plans, "GPU-class", wanted, true, database, loopLimit);
    }

    private void tuned(String driver, String asked, String variant) throws IOException {
        UserTuning.of(tuning)
                .put(new TuningEntry(
                        "A GPU",
                        driver,
                        LocalDate.of(2026, 11, 2),
                        asked,
                        ProblemClass.of(PROBLEM),
                        Variant.parse(variant),
                        "1.8.8.1024.1024.64",
                        1,
                        1.1));
    }

    private static String explain(Planner<Workload, AttentionPlan> planner, Workload problem) {
        return planner.explain(problem).toString();
    }

    /** Or the planner would give an answer that was kept for another problem. */
    @Test
    void whateverAPlanMayDecideByIsAskedAnew() throws ReflectiveOperationException {
        Planner<Workload, AttentionPlan> planner = planner("auto", 64);
        Planner.Choice<AttentionPlan> answer = planner.choose(PROBLEM);
        RecordComponent[] components = Workload.class.getRecordComponents();
        Class<?>[] types =
                Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
        for (int n = 0; n < components.length; n++) {
            Object[] values = new Object[components.length];
            for (int m = 0; m < values.length; m++) {
                values[m] = components[m].getAccessor().invoke(PROBLEM);
            }
            values[n] = values[n] instanceof Integer number
                    ? (Object) (2 * number)
                    : values[n] instanceof Boolean is
                            ? (Object) !is
                            : values[n] instanceof String text ? text + "score * 2" : StorageTypes.of(DType.FLOAT16);
            Workload other = Workload.class.getDeclaredConstructor(types).newInstance(values);
            assertThat(planner.choose(other)).as(components[n].getName()).isNotSameAs(answer);
        }
        assertThat(planner.choose(problem(Attention.DEFAULT))).isSameAs(answer);
    }

    @Test
    void untunedDevicesGetWhatSuitsTheirClassAsFarAsItFits() {
        assertThat(explain(planner("auto", 64), PROBLEM))
                .isEqualTo("tiles (default for GPU-class devices): tiles of TILE=64");
        assertThat(explain(planner("auto", 40), PROBLEM))
                .isEqualTo("tiles (default for GPU-class devices; TILE=64 does not fit: TILE=64 is above 40):"
                        + " tiles of TILE=32");
        assertThat(planner("auto", 8).choose(PROBLEM).plan().name()).isEqualTo("staged");
        assertThat(planner("auto", 64).choose(WITH_WEIGHTS).plan().name()).isEqualTo("staged");
    }

    @Test
    void whatWasTunedGoesBeforeTheDefault() throws IOException {
        tuned("2.0", "auto", "tiles:TILE=24");
        assertThat(explain(planner("auto", 64), PROBLEM))
                .isEqualTo("tiles (tuned on this device on 2026-11-02 with driver 2.0): tiles of TILE=24");
        assertThat(explain(planner("tiles", 64), PROBLEM))
                .isEqualTo("tiles (asked for, tuned on this device on 2026-11-02 with driver 2.0): tiles of TILE=24");
    }

    @Test
    void anotherDriversEntryIsUsedAndNamed() throws IOException {
        tuned("1.0", "auto", "tiles:TILE=24");
        assertThat(explain(planner("auto", 64), PROBLEM))
                .contains("(tuned on this device on 2026-11-02 with driver 1.0, this is driver 2.0)", "TILE=24");
    }

    @Test
    void tuningMayPreferAnotherPlan() throws IOException {
        tuned("2.0", "auto", "staged");
        tuned("2.0", "tiles", "tiles:TILE=16");
        assertThat(planner("auto", 64).choose(PROBLEM).plan().name()).isEqualTo("staged");
        assertThat(planner("tiles", 64).choose(PROBLEM).tunables()).isEqualTo(Tunables.parse("TILE=16"));
        assertThat(planner("tiles", 64).variants(PROBLEM))
                .extracting(Variant::toString)
                .containsExactly("tiles:TILE=16", "tiles:TILE=64", "tiles:TILE=32", "tiles:TILE=24");
    }

    @Test
    void aTunedPlanThatCannotDoTheCallMakesWay() throws IOException {
        tuned("2.0", "auto", "tiles:TILE=24");
        assertThat(planner("auto", 64).choose(WITH_WEIGHTS).plan().name()).isEqualTo("staged");
    }

    @Test
    void aTunedTilingThatDoesNotFitMakesWayForTheDefault() throws IOException {
        tuned("2.0", "auto", "tiles:TILE=128");
        assertThat(explain(planner("auto", 64), PROBLEM))
                .isEqualTo("tiles (default for GPU-class devices; what was tuned on this device on 2026-11-02 with"
                        + " driver 2.0 does not fit: TILE=128 is above 64): tiles of TILE=64");
    }

    @Test
    void namesThatThePlanDoesNotKnowAndPlansThatAreNoneAreNotUsed() throws IOException {
        tuned("2.0", "auto", "tiles:OTHER=1");
        assertThat(planner("auto", 64).choose(PROBLEM).tunables()).isEqualTo(Tunables.parse("TILE=64"));
        tuned("2.0", "auto", "plan_of_the_future:TILE=1");
        assertThat(explain(planner("auto", 64), PROBLEM)).startsWith("tiles (default for GPU-class devices)");
    }

    @Test
    void whatAreNoTunablesOfThePlanAreRefusedAtOnce() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> planner("tiles:TILES=48", 64))
                .withMessage("plan: \"tiles:TILES=48\": tunables: TILES=48, must be TILE 1 to 1024");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> planner("staged:TILE=48", 64))
                .withMessage("plan: \"staged:TILE=48\": tunables: TILE=48, must be none");
    }

    @Test
    void whatIsAskedForGoesBeforeWhatWasTuned() throws IOException {
        tuned("2.0", "tiles", "tiles:TILE=24");
        assertThat(explain(planner("tiles:TILE=48", 64), PROBLEM)).isEqualTo("tiles (asked for): tiles of TILE=48");
        assertThat(explain(planner("tiles:TILE=96", 64), PROBLEM))
                .isEqualTo("tiles (asked for, tuned on this device on 2026-11-02 with driver 2.0; what was asked for"
                        + " does not fit: TILE=96 is above 64): tiles of TILE=24");
        assertThatExceptionOfType(UnsupportedPlanException.class)
                .isThrownBy(() -> planner("tiles", 64).choose(WITH_WEIGHTS))
                .withMessageContaining("no weights");
    }

    @Test
    void plansThatAreNoneAreRefused() {
        for (String wanted : List.of("none", "", "auto:TILE=8", "rows:TILE=8", "tiles:TILE")) {
            assertThatIllegalArgumentException().as(wanted).isThrownBy(() -> planner(wanted, 64));
        }
    }

    @Test
    void whatIsWorthTimingFitsAndBeginsWithWhatWouldBePicked() {
        assertThat(planner("auto", 64).variants(PROBLEM))
                .extracting(Variant::toString)
                .containsExactly("tiles:TILE=64", "tiles:TILE=32", "tiles:TILE=24", "staged");
        assertThat(planner("auto", 40).variants(PROBLEM))
                .extracting(Variant::toString)
                .containsExactly("tiles:TILE=32", "tiles:TILE=24", "staged");
        assertThat(planner("auto", 64).variants(WITH_WEIGHTS))
                .extracting(Variant::toString)
                .containsExactly("staged");
    }

    @Test
    void aPlanWhoseLoopsWouldBeCutShortIsRefused() {
        // staged: 14 x (1,024 keys + 64); tiles: (1,024 keys + 16) x (128 + 128).
        loopLimit = new LoopLimit(20_000, "A GPU");
        assertThat(planner("auto", 64).choose(PROBLEM).plan().name()).isEqualTo("staged");
        assertThat(planner("auto", 64).variants(PROBLEM))
                .extracting(Variant::toString)
                .containsExactly("staged");
        loopLimit = new LoopLimit(10_000, "A GPU");
        assertThatExceptionOfType(UnsupportedPlanException.class)
                .isThrownBy(() -> planner("auto", 32).choose(PROBLEM))
                .withMessage("plan: \"auto\" cannot do this call: TILE=64 does not fit: TILE=64 is above 32;"
                        + " tiles has loops of up to 266,240 iterations, which the driver ends after 10,000 (a bug);"
                        + " staged has loops of up to 15,232 iterations, which the driver ends after 10,000 (a bug);"
                        + " A GPU can do smaller problems only; take another device, or the engine \"cpu\"");
        assertThatExceptionOfType(UnsupportedPlanException.class)
                .isThrownBy(() -> planner("auto", 64).insist(PROBLEM, Variant.parse("staged")))
                .withMessageContaining("ends after 10,000 (a bug)");
    }

    @Test
    void insistingOnAVariantNeverGivesAnother() {
        Planner<Workload, AttentionPlan> planner = planner("auto", 64);
        assertThat(planner.insist(PROBLEM, Variant.parse("tiles:TILE=48")).tunables())
                .isEqualTo(Tunables.parse("TILE=48"));
        for (String variant : List.of("tiles:TILE=96", "staged:TILE=1", "tiles")) {
            assertThatExceptionOfType(UnsupportedPlanException.class)
                    .as(variant)
                    .isThrownBy(() -> planner.insist(PROBLEM, Variant.parse(variant)));
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> planner.insist(PROBLEM, Variant.parse("none")))
                .withMessageContaining("must be of one of [tiles, staged]");
    }
}
