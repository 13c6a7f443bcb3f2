package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TestEngines;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Memory of closed results is used again, but never while somebody may still look at it. */
class ResultPoolTest {
    private final ResultPool pool = new ResultPool();

    @Test
    void closedMemoryIsUsedAgain() {
        Tensor first = pool.tensor(DType.FLOAT32, 2, 3);
        ByteBuffer memory = ResultPool.forDevice(first);
        first.close();
        first.close();
        assertThat(pool.idleBytes()).isEqualTo(24);
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 3, 2))).isSameAs(memory);
        assertThat(pool.idleBytes()).isZero();
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 3, 2))).isNotSameAs(memory);
    }

    @Test
    void memoryThatSomebodyHasSeenIsLeftToThem() {
        Tensor seen = pool.tensor(DType.FLOAT32, 2, 3);
        ByteBuffer bytes = seen.bytes();
        seen.close();
        assertThat(pool.idleBytes()).isZero();
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 2, 3))).isNotSameAs(bytes);
        assertThatThrownBy(seen::bytes)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void whatIsTooLargeToKeepIsNotKeptAndWhatIsTooLargeForTheHostIsRefused() {
        Tensor empty = pool.tensor(DType.FLOAT32, 0, 3);
        empty.close();
        assertThat(pool.idleBytes()).isZero();
        assertThatThrownBy(() -> pool.tensor(DType.FLOAT32, 1 << 20, 1 << 12))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1048576");
    }

    @Test
    void aResultThatIsKeptIsNotWrittenByTheNextCall() {
        Tensor query = Tensor.random(1, 1, 2, 5, 8);
        Tensor other = Tensor.random(2, 1, 2, 5, 8);
        try (AttentionEngine engine = TestEngines.open(TestEngines.quickOpenCl().get(0))) {
            AttentionResult kept = engine.attend(query, query, query);
            float[] before = kept.output().toFloatArray();
            engine.attend(query, query, query).close();
            try (AttentionResult next = engine.attend(other, other, other)) {
                assertThat(next.output().toFloatArray()).isNotEqualTo(before);
                assertThat(kept.output().toFloatArray()).isEqualTo(before);
            }
            kept.close();
        }
    }
}
