package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.TestEngines;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
    void memoryThatWasOnlyReadIsUsedAgain() {
        Tensor read = pool.tensor(DType.FLOAT32, 2, 3);
        ByteBuffer memory = ResultPool.forDevice(read);
        memory.putFloat(4, 7);
        assertThat(read.toFloatArray()[1]).isEqualTo(7);
        assertThat(read.get(0, 1)).isEqualTo(7);
        assertThat(read.slice(1, 1, 2).toDoubleArray()[0]).isEqualTo(7);
        read.close();
        assertThatThrownBy(read::toFloatArray)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 3, 2))).isSameAs(memory);
    }

    @Test
    void sizesThatAreNoLongerAskedForMakeWay() {
        List<ByteBuffer> held = new ArrayList<>();
        for (int mib = 1; mib <= 30; mib++) {
            Tensor tensor = pool.tensor(DType.FLOAT32, mib, 1 << 18);
            held.add(ResultPool.forDevice(tensor));
            tensor.close();
            assertThat(pool.idleBytes()).isPositive().isLessThanOrEqualTo(256L << 20);
        }
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 30, 1 << 18)))
                .isSameAs(held.get(29));
        assertThat(ResultPool.forDevice(pool.tensor(DType.FLOAT32, 1, 1 << 18))).isNotSameAs(held.get(0));
    }

    /** In direct memory that holds a tenth of the results of all lengths. */
    @Test
    void resultsOfMoreAndMoreLengthsDoNotFillTheMemory(@TempDir Path directory) throws Exception {
        String printed = new ChildJvm(Growing.class)
                .options("-XX:MaxDirectMemorySize=16m", "-Dattention4j.programs=off")
                .run(directory, TestEngines.quickOpenCl().get(0).id());
        assertThat(printed).contains("300 lengths");
    }

    /** Attention of 1, 2, 3 … queries, each result closed. */
    static final class Growing {
        private Growing() {}

        public static void main(String[] arguments) {
            Tensor key = Tensor.random(2, 1, 4, 16, 64);
            try (AttentionEngine engine = AttentionEngine.open(arguments[0])) {
                for (int length = 1; length <= 300; length++) {
                    engine.attend(Tensor.zeros(DType.FLOAT32, 1, 4, 4L * length, 64), key, key)
                            .close();
                }
            }
            System.out.println("300 lengths");
        }
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
