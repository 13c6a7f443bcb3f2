package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tiles of the plan rows, and the numbers they are chosen by. */
class ForwardRowsTest {
    /** As many as 16 work-groups of the widest vectors own, and one more. */
    private static final int MANY = 16 * 64 + 1;

    private static final Attention CAUSAL =
            Attention.builder().causal(Alignment.BOTTOM_RIGHT).logSumExp(true).build();

    private static Tensor tensor(long seed, DType dtype, long heads, long length, long width) {
        return Tensor.random(seed, 1, heads, length, width).to(dtype);
    }

    /** Three kinds of tiles that processors with AVX-512 are given; others split their vectors. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void tilesOfTheWidestVectorsAreRightOnAnyProcessor(DType dtype) {
        Tensor query = tensor(1, dtype, 2, MANY, 20);
        Tensor key = tensor(2, dtype, 1, 90, 20);
        Tensor value = tensor(3, dtype, 1, 90, 9);
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            for (ForwardRowsTiling tiles : List.of(
                    new ForwardRowsTiling(16, 4, 6, 6, 48),
                    new ForwardRowsTiling(16, 3, 8, 8, 48),
                    new ForwardRowsTiling(16, 1, 12, 12, 48))) {
                EngineOptions options = TestEngines.options().withPlan("rows:" + tiles.tunables());
                try (AttentionEngine engine = AttentionEngine.open(info.id(), options)) {
                    assertThat(engine.explain(query, key, value, CAUSAL).tunables())
                            .isEqualTo(tiles.tunables().values());
                    YardstickCheck.check(engine, query, key, value, CAUSAL, dtype + ", " + tiles);
                }
            }
        }
    }

    @Test
    void rowsFillTheirVectors() {
        assertThat(List.of(1L, 16L, 17L, 48L, 64L, 100L, 144L, 1024L, 3001L))
                .extracting(rows -> ForwardRowsTiling.rowVectors(16, rows))
                .containsExactly(1, 1, 2, 3, 4, 4, 3, 4, 4);
        assertThat(List.of(1L, 9L, 24L, 1024L))
                .extracting(rows -> ForwardRowsTiling.rowVectors(8, rows))
                .containsExactly(1, 2, 3, 3);
    }
}
