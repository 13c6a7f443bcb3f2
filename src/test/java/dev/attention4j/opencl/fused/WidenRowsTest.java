package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Where keys and values of 16 bits become floats: for all rows at once, or in each work-group where memory is short. */
class WidenRowsTest {
    /** As many as 16 work-groups of the widest vectors own, and one more. */
    private static final int MANY = 16 * 64 + 1;

    private static final Attention CAUSAL =
            Attention.builder().causal(Alignment.BOTTOM_RIGHT).logSumExp(true).build();

    private static Tensor tensor(long seed, DType dtype, long heads, long length, long width) {
        return Tensor.random(seed, 1, heads, length, width).to(dtype);
    }

    private record Run(List<Float> output, List<Float> logSumExp, List<String> kernels) {}

    private static Run run(EngineInfo info, EngineOptions options, DType dtype, int queries) {
        Tensor query = tensor(1, dtype, 2, queries, 20);
        Tensor key = tensor(2, dtype, 1, 90, 20);
        Tensor value = tensor(3, dtype, 1, 90, 9);
        List<ClEvent> events = new ArrayList<>();
        try (OpenClEngine engine = (OpenClEngine) AttentionEngine.open(info.id(), options.withPlan(ForwardRows.NAME))) {
            engine.profileInto(events);
            YardstickCheck.check(engine, query, key, value, CAUSAL, dtype + ", " + queries + " queries");
            engine.profileInto(null);
            List<String> kernels = events.stream().map(ClEvent::command).toList();
            try (AttentionResult result = engine.attend(query, key, value, CAUSAL)) {
                return new Run(floats(result.output().to(DType.FLOAT32)), floats(result.logSumExp()), kernels);
            }
        } finally {
            events.forEach(ClEvent::close);
        }
    }

    private static List<Float> floats(Tensor tensor) {
        List<Float> floats = new ArrayList<>();
        for (float number : tensor.toFloatArray()) {
            floats.add(number);
        }
        return floats;
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"FLOAT16", "BFLOAT16"})
    void manyRowsHaveTheirKeysWidenedOnceWithTheBitsOfEachWorkGroupForItself(DType dtype) {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            Run once = run(info, TestEngines.options(), dtype, MANY);
            Run each = run(info, TestEngines.options().withMaxScratchBytes(1), dtype, MANY);
            assertThat(once.kernels()).containsExactly("widen_rows", "widen_rows", "forward_rows");
            assertThat(each.kernels()).containsExactly("forward_rows");
            assertThat(each.output()).isEqualTo(once.output());
            assertThat(each.logSumExp()).isEqualTo(once.logSumExp());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void fewRowsAndFloatsAreReadWhereTheyLie(DType dtype) {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            int queries = dtype == DType.FLOAT32 ? MANY : 70;
            assertThat(run(info, TestEngines.options(), dtype, queries).kernels())
                    .containsExactly("forward_rows");
        }
    }
}
