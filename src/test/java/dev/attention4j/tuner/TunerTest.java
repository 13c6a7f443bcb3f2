package dev.attention4j.tuner;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.tuner.TuningResult.Outcome;
import dev.attention4j.tuner.TuningResult.Trial;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Who wins, on a workbench whose clock stands still but for what a variant takes. */
class TunerTest {
    private final FakeBench bench = new FakeBench();

    private static final class FakeBench implements Workbench {
        private final Map<Variant, Double> milliseconds = new LinkedHashMap<>();
        private final Set<Variant> wrong = new HashSet<>();
        private final Set<Variant> wrongLater = new HashSet<>();
        private final Set<Variant> failing = new HashSet<>();
        private final Map<Variant, Integer> calls = new HashMap<>();
        private final Map<Variant, String> outOfRegisters = new HashMap<>();
        private long nanos;

        private FakeBench add(String variant, double ms) {
            milliseconds.put(Variant.parse(variant), ms);
            return this;
        }

        @Override
        public void close() {}

        @Override
        public List<Variant> variants() {
            return List.copyOf(milliseconds.keySet());
        }

        @Override
        public Optional<String> whyWrong(Variant variant) {
            boolean late = wrongLater.contains(variant) && calls.getOrDefault(variant, 0) > 5;
            return wrong.contains(variant) || late ? Optional.of("differs by 0.1") : Optional.empty();
        }

        @Override
        public String outOfRegisters(Variant variant) {
            return outOfRegisters.getOrDefault(variant, "");
        }

        @Override
        public void run(Variant variant) {
            if (failing.contains(variant)) {
                throw new IllegalStateException("out of registers\nand more");
            }
            int call = calls.merge(variant, 1, Integer::sum);
            // The first call builds kernels.
            nanos += (long) (1e6 * (milliseconds.get(variant) + (call == 1 ? 5000 : 0)));
        }
    }

    private TuningResult tune() {
        return new Tuner(
                        bench,
                        new Tuner.Listener() {
                            @Override
                            public void begin(int steps) {
                                assertThat(steps).isPositive();
                            }

                            @Override
                            public void step(String what) {
                                assertThat(what).isNotBlank();
                            }
                        },
                        () -> bench.nanos)
                .run();
    }

    private static String fastest(TuningResult result) {
        return result.fastest().map(trial -> trial.variant().toString()).orElse("none");
    }

    private static Trial trial(TuningResult result, String variant) {
        return result.trials().stream()
                .filter(trial -> trial.variant().equals(Variant.parse(variant)))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void ofAPlanThatIsHopelesslySlowNothingElseIsTried() {
        bench.add("tiles:TILE=1", 20)
                .add("tiles:TILE=2", 16)
                .add("rows:TILE=1", 2000)
                .add("rows:TILE=2", 1)
                .add("staged", 190)
                .add("staged:TILE=2", 15);

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("staged:TILE=2");
        assertThat(trial(result, "rows:TILE=1").outcome()).isEqualTo(Outcome.SLOW);
        assertThat(trial(result, "rows:TILE=2").outcome()).isEqualTo(Outcome.NOT_TRIED);
        assertThat(trial(result, "staged").outcome()).isEqualTo(Outcome.SLOW);
        assertThat(bench.calls).doesNotContainKey(Variant.parse("rows:TILE=2"));
        assertThat(bench.calls.get(Variant.parse("rows:TILE=1"))).isEqualTo(2);
        assertThat(result.trials()).hasSize(6);
        assertThat(result.allRight()).isTrue();
    }

    @Test
    void whoHasTooFewRegistersIsSaid() {
        bench.add("tiles:TILE=1", 20).add("tiles:TILE=2", 90);
        bench.milliseconds.keySet().forEach(variant -> bench.outOfRegisters.put(variant, "of " + variant));

        assertThat(tune().trials()).hasSize(2).allSatisfy(trial -> assertThat(trial.detail())
                .isEqualTo("of " + trial.variant()));
        assertThat(OpenClWorkbench.describe(Map.of("forward_tiles fused/forward_tiles.cl -D A", 96L)))
                .isEqualTo("forward_tiles keeps 96 bytes of a work-item in memory for want of registers");
        assertThat(OpenClWorkbench.describe(Map.of())).isEmpty();
    }

    @Test
    void ofAPlanWhoseOwnChoiceFailsTheOthersAreTried() {
        bench.add("tiles:TILE=1", 20).add("rows:TILE=1", 10).add("rows:TILE=2", 10);
        bench.failing.add(Variant.parse("rows:TILE=1"));

        assertThat(fastest(tune())).isEqualTo("rows:TILE=2");
    }

    @Test
    void theFastestWinsByHowMuchItIsFaster() {
        bench.add("rows:TILE=1", 20)
                .add("rows:TILE=2", 16)
                .add("rows:TILE=3", 18)
                .add("staged", 900);

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=2");
        assertThat(result.gain()).isEqualTo(1.25);
        assertThat(result.isClearlyBetter()).isTrue();
        assertThat(result.allRight()).isTrue();
        assertThat(result.untuned()).isEqualTo(Variant.parse("rows:TILE=1"));
        assertThat(result.trials())
                .extracting(trial -> trial.variant().toString())
                .containsExactly("rows:TILE=2", "rows:TILE=3", "rows:TILE=1", "staged");
        assertThat(trial(result, "rows:TILE=2").milliseconds()).isEqualTo(16);
        assertThat(trial(result, "staged").outcome()).isEqualTo(Outcome.SLOW);
        assertThat(trial(result, "staged").ratio()).isEqualTo(20 / 900.0);
        // What is 45 times as slow is built, looked at once, and left alone.
        assertThat(bench.calls.get(Variant.parse("staged"))).isEqualTo(2);
    }

    @Test
    void aWrongResultNeverWins() {
        bench.add("rows:TILE=1", 20).add("rows:TILE=2", 1).add("rows:TILE=3", 18);
        bench.wrong.add(Variant.parse("rows:TILE=2"));

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=3");
        assertThat(result.allRight()).isFalse();
        assertThat(trial(result, "rows:TILE=2").outcome()).isEqualTo(Outcome.WRONG);
        assertThat(trial(result, "rows:TILE=2").detail()).isEqualTo("differs by 0.1");
        assertThat(bench.calls).doesNotContainKey(Variant.parse("rows:TILE=2"));
    }

    @Test
    void aResultThatGoesWrongLaterDoesNotWinEither() {
        bench.add("rows:TILE=1", 20).add("rows:TILE=2", 12).add("rows:TILE=3", 14);
        bench.wrongLater.add(Variant.parse("rows:TILE=2"));

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=3");
        assertThat(result.allRight()).isFalse();
    }

    @Test
    void withoutARightDefaultNothingIsKept() {
        bench.add("rows:TILE=1", 20).add("rows:TILE=2", 12);
        bench.wrong.add(Variant.parse("rows:TILE=1"));

        TuningResult result = tune();

        assertThat(result.fastest()).isEmpty();
        assertThat(result.isClearlyBetter()).isFalse();
        assertThat(result.allRight()).isFalse();
    }

    @Test
    void whatDoesNotBuildIsLeftOut() {
        bench.add("rows:TILE=1", 20).add("rows:TILE=2", 12).add("rows:TILE=3", 14);
        bench.failing.add(Variant.parse("rows:TILE=2"));

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=3");
        assertThat(trial(result, "rows:TILE=2").outcome()).isEqualTo(Outcome.FAILED);
        assertThat(trial(result, "rows:TILE=2").detail()).isEqualTo("out of registers");
        assertThat(result.allRight()).isTrue();
    }

    @Test
    void twoPerCentAreNotWorthAnEntry() {
        bench.add("rows:TILE=1", 20).add("rows:TILE=2", 19.7);

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=2");
        assertThat(result.isClearlyBetter()).isFalse();
    }

    @Test
    void theDefaultMayBeTheFastest() {
        bench.add("rows:TILE=1", 10).add("rows:TILE=2", 12);

        TuningResult result = tune();

        assertThat(fastest(result)).isEqualTo("rows:TILE=1");
        assertThat(result.gain()).isEqualTo(1);
        assertThat(result.isClearlyBetter()).isFalse();
    }

    @Test
    void whatIsFasterOnlyOnAverageIsNotClearlyBetter() {
        List<Trial> none = List.of();
        Variant untuned = Variant.parse("rows");
        Optional<Trial> fastest = Optional.of(new Trial(Variant.parse("rows:TILE=2"), Outcome.TIMED, 1, 1.2, ""));

        assertThat(new TuningResult(none, untuned, fastest, 1.2, 8, 11).isClearlyBetter())
                .isFalse();
        assertThat(new TuningResult(none, untuned, fastest, 1.2, 9, 11).isClearlyBetter())
                .isTrue();
        assertThat(new TuningResult(none, untuned, fastest, 1.02, 11, 11).isClearlyBetter())
                .isFalse();
    }
}
