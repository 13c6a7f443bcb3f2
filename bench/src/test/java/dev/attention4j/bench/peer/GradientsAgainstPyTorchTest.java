package dev.attention4j.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.conformance.problems.GridCase;
import dev.attention4j.conformance.problems.PeerGrids;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Inputs;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.reference.ReferenceGradients;
import dev.attention4j.spi.GradientCall;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Gradients against PyTorch's autograd and the oracle, on shapes of the peers' grids with every option that PyTorch has. The rule is
 * flash-attention's: an error of at most twice that of PyTorch in float32, or of plain float code where that is larger, as it is in
 * long sums, of which PyTorch adds up several parts.
 */
class GradientsAgainstPyTorchTest {
    /** The largest problem: oracle and engines take a fraction of a second. */
    private static final double MOST_FLOPS = 4e6;

    /** PyTorch's own error, as a share of the largest number: more would be another operation. */
    private static final double LARGEST_ERROR = 1e-5;

    private enum Option {
        NONE,
        CAUSAL,
        MASK,
        BIAS,
        BIAS_OF_HEADS,
        BIAS_OF_KEYS
    }

    private static AttentionShape[] shapes(int count) {
        AttentionShape[] all = PeerGrids.all().stream()
                .flatMap(grid -> grid.stream().filter(one -> one.flops() > 0 && one.flops() <= MOST_FLOPS))
                .map(GridCase::shape)
                .distinct()
                .toArray(AttentionShape[]::new);
        AttentionShape[] chosen = new AttentionShape[count];
        // As many of each grid as it has of all.
        Arrays.setAll(chosen, n -> all[(int) ((n + 0.5) * all.length / count)]);
        return chosen;
    }

    @ParameterizedTest
    @CsvSource({"cpu, 36", "best, 12"})
    void gradientsAreAsExactAsPyTorchs(String engineName, int count) {
        List<String> wrong = new ArrayList<>();
        try (AttentionEngine engine = AttentionEngine.open(engineName);
                DjlTorch torch = new DjlTorch(2)) {
            AttentionShape[] shapes = shapes(count);
            for (int n = 0; n < count; n++) {
                Option option = Option.values()[n % Option.values().length];
                check(engine, torch, shapes[n], option, n % 4 == 3, wrong);
            }
            assertThat(shapes).anyMatch(shape -> shape.headDim() != shape.valueDim());
            assertThat(shapes).anyMatch(shape -> shape.queryHeads() != shape.keyValueHeads());
            assertThat(shapes).anyMatch(shape -> shape.headDim() % 8 != 0);
        }
        assertThat(wrong).isEmpty();
    }

    private static void check(
            AttentionEngine engine,
            DjlTorch torch,
            AttentionShape shape,
            Option option,
            boolean scaled,
            List<String> wrong) {
        String name = shape + " " + option + (scaled ? " scaled" : "");
        AttentionBuilder attention = Attention.builder();
        Tensor terms = option == Option.MASK ? mask(shape) : bias(shape, option);
        if (option == Option.CAUSAL) {
            attention.causal(Alignment.TOP_LEFT);
        } else if (option == Option.MASK) {
            attention.mask(terms);
        } else {
            attention.bias(terms);
        }
        if (scaled) {
            attention.scale(1.0 / shape.headDim());
        }
        Inputs inputs = Inputs.of(shape.problem(DType.FLOAT32, attention.build()));
        AttentionProblem problem = inputs.problem();
        Tensor outputGradient = Tensor.random(5, problem.outputShape());
        boolean biased = terms != null && option != Option.MASK;
        GradientOptions wanted = biased ? GradientOptions.DEFAULT.withBias() : GradientOptions.DEFAULT;
        List<Tensor> tensors = new ArrayList<>(List.of(inputs.query(), inputs.key(), inputs.value()));
        if (terms != null) {
            tensors.add(terms);
        }
        float[] ofTorch = ofTorch(torch, name, shape, option, scaled, tensors, biased ? 4 : 3, outputGradient);
        try (AttentionTape tape =
                        engine.attendForGradients(inputs.query(), inputs.key(), inputs.value(), inputs.attention());
                AttentionGradients got = tape.gradients(outputGradient, wanted)) {
            GradientCall call = GradientCall.of(
                    inputs.query(),
                    inputs.key(),
                    inputs.value(),
                    inputs.attention(),
                    tape.result(),
                    outputGradient,
                    wanted);
            ReferenceGradients oracle = ReferenceGradients.compute(call);
            List<double[]> expected = List.of(oracle.query(), oracle.key(), oracle.value(), oracle.bias());
            List<Deviation> byPlainFloat = new GradientYardstick(call).measure(got);
            int first = 0;
            for (int n = 0; n < byPlainFloat.size(); n++) {
                Deviation ours = byPlainFloat.get(n);
                double[] numbers = expected.get(n);
                float[] theirs = Arrays.copyOfRange(ofTorch, first, first + numbers.length);
                Tensor tensor = Tensor.of(theirs, numbers.length);
                Deviation ofPeer = Deviation.of(ours.what(), tensor, numbers, theirs);
                double largest = Arrays.stream(numbers).map(Math::abs).max().orElse(0);
                assertThat(ofPeer.error())
                        .as(name + " " + ours.what() + " of PyTorch")
                        .isLessThanOrEqualTo(LARGEST_ERROR * (1 + largest));
                if (!(ours.error() <= Math.max(ours.limit(), ofPeer.limit()))) {
                    wrong.add(name + " " + ours + ", PyTorch " + ofPeer.error());
                }
                first += numbers.length;
            }
            assertThat(ofTorch).as(name).hasSize(first);
        }
    }

    private static float[] ofTorch(
            DjlTorch torch,
            String name,
            AttentionShape shape,
            Option option,
            boolean scaled,
            List<Tensor> tensors,
            int wanted,
            Tensor outputGradient) {
        boolean grouped = shape.queryHeads() != shape.keyValueHeads();
        try (Contender.Call call = torch.gradients(
                name,
                () -> TorchModule.scaledDotProductAttention(
                        grouped,
                        tensors.size() > 3,
                        option == Option.CAUSAL,
                        scaled ? Double.toString(1.0 / shape.headDim()) : "None"),
                tensors,
                wanted,
                outputGradient,
                false)) {
            call.run();
            return call.output();
        }
    }

    /** Every query sees key 0: PyTorch gives NaN where it sees none. */
    private static Tensor mask(AttentionShape shape) {
        boolean[] attend = new boolean[shape.batch() * shape.queryLength() * shape.keyLength()];
        Random random = new Random(6);
        for (int n = 0; n < attend.length; n++) {
            attend[n] = random.nextInt(3) > 0 || n % shape.keyLength() == 0;
        }
        return Tensor.of(attend, shape.batch(), 1, shape.queryLength(), shape.keyLength());
    }

    private static Tensor bias(AttentionShape shape, Option option) {
        int heads = shape.queryHeads();
        return switch (option) {
            case BIAS -> Tensor.random(7, shape.batch(), heads, shape.queryLength(), shape.keyLength());
            case BIAS_OF_HEADS -> Tensor.random(7, 1, heads, shape.queryLength(), shape.keyLength());
            case BIAS_OF_KEYS -> Tensor.random(7, shape.batch(), 1, 1, shape.keyLength());
            default -> null;
        };
    }
}
