package dev.attention4j.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import dev.attention4j.conformance.CaseFile;
import dev.attention4j.io.Safetensors;
import dev.attention4j.measure.AttentionShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The conformance cases {@code autograd/}, whose numbers are those of PyTorch's autograd in float32: each file holds what PyTorch
 * gives now. With {@code -Dautograd.write=true} the files are written anew.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AutogradCasesTest {
    private static final Path FILES = Path.of("../src/main/resources/dev/attention4j/conformance/autograd");
    private static final AttentionShape SHAPE = AttentionShape.parse("2.4.4.9.13.8");

    private DjlTorch torch;

    @SuppressWarnings("ImmutableEnumChecker") // A shape is immutable.
    private enum Case {
        PLAIN(SHAPE),
        CAUSAL(SHAPE),
        MASK(SHAPE),
        BIAS(SHAPE),
        BIAS_OF_HEADS(SHAPE),
        GROUPED(AttentionShape.parse("2.6.2.9.13.8")),
        WIDE_VALUES(AttentionShape.parse("1.2.2.11.7.12.20"));

        private final AttentionShape shape;

        Case(AttentionShape shape) {
            this.shape = shape;
        }

        String file() {
            return name().toLowerCase(Locale.ROOT) + ".safetensors";
        }

        /** The bias or the mask; null for neither. */
        Tensor terms() {
            return switch (this) {
                case MASK -> mask(shape);
                case BIAS ->
                    Tensor.random(7, shape.batch(), shape.queryHeads(), shape.queryLength(), shape.keyLength());
                case BIAS_OF_HEADS -> Tensor.random(7, 1, shape.queryHeads(), shape.queryLength(), shape.keyLength());
                default -> null;
            };
        }

        String attributes() {
            return switch (this) {
                case CAUSAL -> "{\"causal\": \"TOP_LEFT\"}";
                case WIDE_VALUES -> "{\"scale\": 0.5}";
                default -> "{}";
            };
        }

        byte[] module() {
            return TorchModule.scaledDotProductAttention(
                    shape.queryHeads() != shape.keyValueHeads(),
                    terms() != null,
                    this == CAUSAL,
                    this == WIDE_VALUES ? "0.5" : "None");
        }
    }

    @BeforeAll
    void start() {
        torch = new DjlTorch(1);
    }

    @AfterAll
    void stop() {
        torch.close();
    }

    @ParameterizedTest
    @EnumSource(Case.class)
    void theFileHoldsWhatPyTorchGives(Case one) throws IOException {
        Map<String, Tensor> computed = compute(one);
        if (Boolean.getBoolean("autograd.write")) {
            Files.createDirectories(FILES);
            Safetensors.write(
                    FILES.resolve(one.file()),
                    computed,
                    Map.of(
                            "op",
                            "attention",
                            "name",
                            "autograd/" + one.name().toLowerCase(Locale.ROOT),
                            "attributes",
                            one.attributes(),
                            "source",
                            torch.name() + ", scaled_dot_product_attention and torch.grad in float32"));
        }
        CaseFile file = CaseFile.read(FILES.resolve(one.file()));
        assertThat(file.tensors()).containsOnlyKeys(computed.keySet());
        computed.forEach((name, tensor) -> {
            Tensor stored = file.find(name).orElseThrow();
            assertThat(stored.shape()).as(name).containsExactly(tensor.shape());
            assertThat(stored.toDoubleArray())
                    .as(name)
                    .containsExactly(tensor.toDoubleArray(), Offset.offset(name.startsWith("input.") ? 0 : 2e-6));
        });
    }

    private Map<String, Tensor> compute(Case one) {
        AttentionShape shape = one.shape;
        Tensor query = Tensor.random(1, shape.batch(), shape.queryHeads(), shape.queryLength(), shape.headDim());
        Tensor key = Tensor.random(2, shape.batch(), shape.keyValueHeads(), shape.keyLength(), shape.headDim());
        Tensor value = Tensor.random(3, shape.batch(), shape.keyValueHeads(), shape.keyLength(), shape.valueDim());
        Tensor outputGradient =
                Tensor.random(5, shape.batch(), shape.queryHeads(), shape.queryLength(), shape.valueDim());
        Tensor terms = one.terms();
        List<Tensor> inputs = new ArrayList<>(List.of(query, key, value));
        Map<String, Tensor> all = new LinkedHashMap<>();
        all.put("input.query", query);
        all.put("input.key", key);
        all.put("input.value", value);
        if (terms != null) {
            inputs.add(terms);
            all.put(terms.dtype() == DType.BOOL ? "input.mask" : "input.bias", terms);
        }
        all.put("input.output_gradient", outputGradient);
        Supplier<byte[]> module = one::module;
        try (Contender.Call call = torch.call(one.name(), module, inputs)) {
            call.run();
            all.put("output.output", Tensor.of(call.output(), outputGradient.shape()));
        }
        List<String> names = terms == null || terms.dtype() == DType.BOOL
                ? List.of("query", "key", "value")
                : List.of("query", "key", "value", "bias");
        try (Contender.Call call = torch.gradients(one.name(), module, inputs, names.size(), outputGradient, false)) {
            call.run();
            int first = 0;
            for (int n = 0; n < names.size(); n++) {
                Tensor of = inputs.get(n);
                int end = first + (int) of.elementCount();
                all.put(
                        "output." + names.get(n) + "_gradient",
                        Tensor.of(Arrays.copyOfRange(call.output(), first, end), of.shape()));
                first = end;
            }
        }
        return all;
    }

    /** Every query sees key 0: PyTorch gives NaN where it sees none. */
    private static Tensor mask(AttentionShape shape) {
        boolean[] attend = new boolean[shape.batch() * shape.queryLength() * shape.keyLength()];
        for (int n = 0; n < attend.length; n++) {
            attend[n] = n % 3 != 1 || n % shape.keyLength() == 0;
        }
        return Tensor.of(attend, shape.batch(), 1, shape.queryLength(), shape.keyLength());
    }
}
