package dev.attention4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.reference.ReferenceEngine;
import dev.attention4j.testing.CaseFiles;
import dev.attention4j.testing.SharedCases;
import dev.attention4j.testing.WrongEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileCasesTest {
    private static final Path REAL = Path.of("src", "test", "resources", "conformance", "real");

    @TempDir
    Path folder;

    @Test
    void realAttentionPassesOnTheOracle() throws IOException {
        List<CaseFile> cases = List.of(
                CaseFile.sentences(),
                CaseFile.read(REAL.resolve("minilm_layer2.safetensors")),
                CaseFile.read(REAL.resolve("minilm_layer5.safetensors")));
        for (CaseFile real : cases) {
            Found outcome = onOracle(real);
            assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
            assertThat(outcome.plan()).isEqualTo(ReferenceEngine.PLAN);
            assertThat(outcome.error()).as(outcome.toString()).isPositive().isLessThan(2e-5);
            assertThat(outcome.detail()).isEmpty();
        }
    }

    @Test
    void sharedCasesPassOrAreSkippedWithTheReason() throws IOException {
        for (Path path : SharedCases.find()) {
            CaseFile shared = CaseFile.read(path);
            Found outcome = onOracle(shared);
            if (FileCases.OPERATIONS.containsKey(shared.op())) {
                assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
            } else {
                assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.SKIPPED);
                assertThat(outcome.detail()).isEqualTo("op " + shared.op() + " is not known to this version");
            }
        }
    }

    @Test
    void everyOutputOfACaseIsCompared() throws IOException {
        Attention attention = Attention.causal(Alignment.BOTTOM_RIGHT);
        CaseFile made = CaseFiles.of(folder, CaseFiles.tensors(attention), "{\"causal\": \"BOTTOM_RIGHT\"}");
        Found right = onOracle(made);
        assertThat(right.status()).as(right.toString()).isEqualTo(Status.PASSED);
        assertThat(right.error()).isZero();

        Found output = onWrong(made, (problem, result) -> set(result, result.output(), 13, 9));
        assertThat(output.status()).isEqualTo(Status.FAILED);
        double want = made.tensor("output.output").get(0, 1, 0, 1);
        assertThat(output.error()).isEqualTo(9 - want);
        assertThat(output.plan()).isEqualTo(WrongEngine.PLAN);
        assertThat(output.detail())
                .isEqualTo("output.output: 1 of 24 elements wrong, worst at [0, 1, 0, 1]: got 9.0, want " + (float) want
                        + " (allowed: 1.0E-5 + 1.0E-4 * |want|)");

        Found weights = onWrong(
                made,
                (problem, result) ->
                        problem.attention().wantsWeights() ? set(result, result.weights(), 29, 1.5f) : result);
        assertThat(weights.status()).isEqualTo(Status.FAILED);
        assertThat(weights.detail())
                .startsWith("output.weights: 1 of 30 elements wrong, worst at [0, 1, 2, 4]: got 1.5");

        Found logSumExp = onWrong(made, (problem, result) -> set(result, result.logSumExp(), 0, -7));
        assertThat(logSumExp.status()).isEqualTo(Status.FAILED);
        assertThat(logSumExp.detail())
                .contains("output.log_sum_exp: 1 of 6 elements wrong, worst at [0, 0, 0]: got -7.0");
    }

    @Test
    void everyGradientOfACaseIsCompared() throws IOException {
        CaseFile right = CaseFile.builtIn("autograd/bias.safetensors");
        assertThat(onOracle(right).status()).isEqualTo(Status.PASSED);
        for (String name : List.of("query", "key", "value", "bias")) {
            Map<String, Tensor> tensors = new LinkedHashMap<>(right.tensors());
            Tensor gradient = tensors.get("output." + name + "_gradient");
            float[] numbers = gradient.toFloatArray();
            numbers[3] += 0.01f;
            tensors.put("output." + name + "_gradient", Tensor.of(numbers, gradient.shape()));
            Found found = onOracle(CaseFiles.of(folder, tensors, "{}"));
            assertThat(found.status()).isEqualTo(Status.FAILED);
            assertThat(found.detail())
                    .startsWith("output." + name + "_gradient: 1 of " + numbers.length + " elements wrong");
        }
    }

    @Test
    void aSlightErrorBeyondTheToleranceIsSeenAndOneWithinIsNot() throws IOException {
        CaseFile made = CaseFiles.of(folder, CaseFiles.tensors(Attention.DEFAULT), (String) null);
        float want = (float) made.tensor("output.output").get(0, 0, 0, 0);
        float limit = 1e-5f + 1e-4f * Math.abs(want);
        Found beyond = onWrong(made, (problem, result) -> set(result, result.output(), 0, want + 1.1f * limit));
        Found within = onWrong(made, (problem, result) -> set(result, result.output(), 0, want + 0.9f * limit));
        assertThat(beyond.status()).as(beyond.toString()).isEqualTo(Status.FAILED);
        assertThat(within.status()).as(within.toString()).isEqualTo(Status.PASSED);
    }

    @Test
    void nanNeverPasses() throws IOException {
        Found outcome = onWrong(CaseFile.sentences(), (problem, result) -> set(result, result.output(), 5, Float.NaN));
        assertThat(outcome.status()).isEqualTo(Status.FAILED);
        assertThat(outcome.error()).isInfinite();
        assertThat(outcome.detail()).contains("1 of 16896 elements wrong, worst at [0, 0, 0, 5]: got NaN");
    }

    @Test
    void minusInfinityMustBeMinusInfinity() throws IOException {
        Tensor none = Tensor.zeros(DType.BOOL, 1, 5);
        Attention masked = Attention.builder().mask(none).build();
        CaseFile made = CaseFiles.of(folder, CaseFiles.tensors(masked), "{}");
        assertThat(made.tensor("output.log_sum_exp").get(0, 0, 0)).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(onOracle(made).status()).isEqualTo(Status.PASSED);
        for (float wrong : new float[] {-3e38f, Float.POSITIVE_INFINITY, Float.NaN, 0}) {
            Found outcome = onWrong(made, (problem, result) -> set(result, result.logSumExp(), 2, wrong));
            assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.FAILED);
            assertThat(outcome.detail()).contains("worst at [0, 0, 2]: got " + wrong + ", want -Infinity");
        }
    }

    @Test
    void aWrongShapeOrTypeIsAFailure() throws IOException {
        CaseFile made = CaseFiles.of(folder, CaseFiles.tensors(Attention.DEFAULT), "{}");
        Found shape =
                onWrong(made, (problem, result) -> with(result, result.output().reshape(1, 3, 2, 4)));
        assertThat(shape.status()).isEqualTo(Status.FAILED);
        assertThat(shape.detail()).contains("output.output: got shape [1, 3, 2, 4], want [1, 2, 3, 4]");
        Found type =
                onWrong(made, (problem, result) -> with(result, result.output().to(DType.FLOAT16)));
        assertThat(type.status()).isEqualTo(Status.FAILED);
        assertThat(type.detail()).contains("output.output: got type FLOAT16, want FLOAT32");
    }

    @Test
    void whatTheEngineThrowsIsAFailure() throws IOException {
        Found outcome = onWrong(CaseFile.sentences(), (problem, result) -> {
            throw new DeviceException("CL_OUT_OF_RESOURCES");
        });
        assertThat(outcome.status()).isEqualTo(Status.FAILED);
        assertThat(outcome.error()).isNaN();
        assertThat(outcome.detail()).isEqualTo("CL_OUT_OF_RESOURCES");
    }

    @Test
    void aPlanThatCannotReturnWeightsIsCheckedByItsOutput() throws IOException {
        BiFunction<AttentionProblem, AttentionResult, AttentionResult> noWeights = (problem, result) -> {
            if (problem.attention().wantsWeights()) {
                throw new UnsupportedPlanException(WrongEngine.PLAN, "it never holds the weights");
            }
            return result;
        };
        Found checked = insisting(noWeights);
        assertThat(checked.status()).isEqualTo(Status.PASSED);
        assertThat(checked.detail())
                .isEqualTo(
                        "output.weights not checked: plan: \"wrongly\" cannot do this call: it never holds the weights");

        Found wrong = insisting(noWeights.andThen(result -> set(result, result.output(), 0, 1e9f)));
        assertThat(wrong.status()).isEqualTo(Status.FAILED);

        Found nothing = insisting((problem, result) -> {
            throw new UnsupportedPlanException(WrongEngine.PLAN, "it takes no mask");
        });
        assertThat(nothing.status()).isEqualTo(Status.SKIPPED);
        assertThat(nothing.detail()).contains("output.output not checked: ").contains("it takes no mask");

        Found excuse = onWrong(CaseFile.sentences(), noWeights);
        assertThat(excuse.status()).as("with the plan left to the engine").isEqualTo(Status.FAILED);
    }

    @Test
    void halfPrecisionCasesAreHeldToHalfPrecision() throws IOException {
        Map<String, Tensor> tensors = CaseFiles.tensors(Attention.DEFAULT);
        tensors.remove("output.weights");
        tensors.remove("output.log_sum_exp");
        tensors.replaceAll((name, tensor) -> name.startsWith("input") ? tensor.to(DType.FLOAT16) : tensor);
        Found outcome = onOracle(CaseFiles.of(folder, tensors, "{}"));
        assertThat(outcome.status()).as(outcome.toString()).isEqualTo(Status.PASSED);
        assertThat(outcome.error()).isGreaterThan(1e-5);
    }

    @Test
    void aCaseThatDoesNotFitTogetherIsAFailure() throws IOException {
        Map<String, Tensor> tensors = CaseFiles.tensors(Attention.DEFAULT);
        tensors.put("input.value", Tensor.random(3, 1, 2, 6, 4));
        Found outcome = onOracle(CaseFiles.of(folder, tensors, "{}"));
        assertThat(outcome.status()).isEqualTo(Status.FAILED);
        assertThat(outcome.detail()).contains("made.safetensors: value: length 6, must be 5");
    }

    @Test
    void noCasesIsNoSuccess() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> FileCases.find(empty))
                .isInstanceOf(FileFormatException.class)
                .hasMessage(empty + ": holds no file *.safetensors, must hold at least one");
        assertThatThrownBy(() -> FileCases.find(folder.resolve("none"))).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void oneFileIsAlsoASetOfCases() throws IOException {
        Path file = Files.createFile(folder.resolve("one.safetensors"));
        assertThat(FileCases.find(file)).extracting(ConformanceCase::name).containsExactly(file.toString());
    }

    @Test
    void aQueryThatIsMaskedSeesNothing() throws IOException {
        Tensor queryMask = Tensor.of(new boolean[] {true, false, true}, 1, 3);
        Attention masked = Attention.builder().queryMask(queryMask).build();
        Map<String, Tensor> tensors = CaseFiles.tensors(masked);
        tensors.put("input.query_mask", queryMask);
        for (int head = 0; head < 2; head++) {
            assertThat(tensors.get("output.output").get(0, head, 1, 3)).isZero();
        }
        assertThat(onOracle(CaseFiles.of(folder, tensors, "{}")).status()).isEqualTo(Status.PASSED);
        tensors.remove("input.query_mask");
        assertThat(onOracle(CaseFiles.of(folder, tensors, "{}")).status()).isEqualTo(Status.FAILED);
    }

    private static Found onOracle(CaseFile file) {
        try (AttentionEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            return Found.of(file, oracle, EngineOptions.AUTO);
        }
    }

    private static Found onWrong(CaseFile file, BiFunction<AttentionProblem, AttentionResult, AttentionResult> tamper) {
        try (AttentionEngine wrong = new WrongEngine(tamper)) {
            return Found.of(file, wrong, EngineOptions.AUTO);
        }
    }

    private static Found insisting(BiFunction<AttentionProblem, AttentionResult, AttentionResult> tamper)
            throws IOException {
        EngineOptions options = EngineOptions.DEFAULT.withPlan(WrongEngine.PLAN);
        try (AttentionEngine wrong = new WrongEngine(options, tamper)) {
            return Found.of(CaseFile.sentences(), wrong, WrongEngine.PLAN);
        }
    }

    private static AttentionResult set(AttentionResult result, Tensor tensor, int at, float element) {
        tensor.floats().put(at, element);
        return result;
    }

    private static AttentionResult with(AttentionResult result, Tensor output) {
        Tensor ones = Tensor.random(1, 1, 2, 3, 5);
        return new AttentionResult(output, ones, result.logSumExp(), result.plan());
    }
}
