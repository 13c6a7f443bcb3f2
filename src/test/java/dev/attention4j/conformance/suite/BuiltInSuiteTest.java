package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineInfo.Kind;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The cases that a selection has. */
class BuiltInSuiteTest {
    private static final Selection QUICK = Selection.builtIn(true, 1);
    private static final Selection FULL = Selection.builtIn(false, 1);

    private static List<String> names(Selection selection, Kind kind) {
        return BuiltInSuite.cases(selection, kind).stream()
                .map(ConformanceCase::name)
                .toList();
    }

    @Test
    void namesAreUniqueFitACommandLineAndFindTheirCase() {
        List<String> names = names(FULL, Kind.GPU);
        assertThat(names).doesNotHaveDuplicates().allMatch(name -> name.matches("[a-zA-Z0-9_./+-]+"));
        for (String name : names(QUICK, Kind.GPU)) {
            assertThat(BuiltInSuite.find(name).name()).isEqualTo(name);
        }
    }

    static List<EngineInfo> engines() {
        return Stream.concat(TestEngines.underTest().stream(), Stream.of(Engines.resolve("oracle")))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void theCasesOfFilesPass(EngineInfo info) throws IOException {
        List<String> files = names(QUICK, info.kind()).stream()
                .filter(BuiltInSuite.FILES::contains)
                .toList();
        assertThat(files).hasSize(info.kind() == Kind.EMULATOR ? 16 : 23);
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (String name : files) {
                Finding finding = BuiltInSuite.find(name).source().get().on(engine);
                assertThat(finding.status(EngineOptions.AUTO))
                        .as(name + ": " + finding.detail())
                        .isEqualTo(Status.PASSED);
                assertThat(finding.error()).as(name).isLessThan(2e-6);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void theCasesOfGradientsPass(EngineInfo info) throws IOException {
        Selection selection = Selection.builtIn(true, 1);
        List<ConformanceCase> cases = BuiltInSuite.cases(selection, info.kind()).stream()
                .filter(one -> Outcome.feature(one.name()).equals("gradients"))
                .toList();
        assertThat(cases).hasSize(info.kind() == Kind.EMULATOR ? 1 : 19);
        try (AttentionEngine engine = TestEngines.open(info)) {
            // A device builds kernels for each: random problems hold it to the options.
            for (ConformanceCase one : info.isOpenCl() ? cases.subList(0, Math.min(2, cases.size())) : cases) {
                Finding finding = one.source().get().on(engine);
                assertThat(finding.status(EngineOptions.AUTO))
                        .as(one.name() + ": " + finding.detail())
                        .isEqualTo(Status.PASSED);
                assertThat(finding.units()).as(one.name()).isLessThanOrEqualTo(2);
            }
        }
    }

    @Test
    void everyPromiseIsAFeature() {
        Set<String> features = new TreeSet<>();
        names(QUICK, Kind.GPU).forEach(name -> features.add(Outcome.feature(name)));
        assertThat(features)
                .contains(
                        "real",
                        "onnx",
                        "plain",
                        "layout",
                        "scale",
                        "softcap",
                        "order",
                        "bias",
                        "mask",
                        "causal",
                        "offsets",
                        "window",
                        "key-lengths",
                        "packed",
                        "alibi",
                        "sinks",
                        "expressions",
                        "unseen",
                        "empty",
                        "leaks",
                        "heads",
                        "width",
                        "length",
                        "float16",
                        "bfloat16",
                        "log-sum-exp",
                        "weights",
                        "refusal",
                        "repeat",
                        "resident",
                        "async",
                        "gradients",
                        "autograd",
                        "random",
                        "flash-attn",
                        "pytorch",
                        "xformers",
                        "ggml");
    }

    @Test
    void aSeedSelectsTheSameCasesAgainAndAnotherSeedOthers() {
        assertThat(names(QUICK, Kind.GPU)).isEqualTo(names(QUICK, Kind.GPU));
        List<String> others = names(Selection.builtIn(true, 2), Kind.GPU);
        assertThat(others)
                .doesNotContainAnyElementsOf(names(QUICK, Kind.GPU).stream()
                        .filter(name -> name.startsWith("random/"))
                        .toList());
        assertThat(others)
                .containsAll(
                        BuiltInSuite.named().stream().map(ConformanceCase::name).toList());
    }

    @Test
    void emulatorsAreGivenWhatIsSmallAndQuickHasLess() {
        assertThat(BuiltInSuite.cases(FULL, Kind.EMULATOR)).allMatch(one -> one.flops() <= BuiltInSuite.EMULATOR_FLOPS);
        int quick = names(QUICK, Kind.GPU).size();
        assertThat(names(FULL, Kind.EMULATOR).size()).isLessThanOrEqualTo(quick);
        assertThat(names(FULL, Kind.GPU).size()).isGreaterThan(quick + 200);
    }

    @Test
    void oneCaseIsOneCase() {
        assertThat(names(Selection.one("random/7"), Kind.EMULATOR)).containsExactly("random/7");
    }
}
