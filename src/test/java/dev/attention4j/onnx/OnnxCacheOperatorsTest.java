package dev.attention4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.testing.TestEngines;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** RotaryEmbedding and TensorScatter against the standard's definitions, element by element. */
class OnnxCacheOperatorsTest {
    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    private static Tensor integers(long[] numbers, long... shape) {
        Tensor tensor = Tensor.zeros(DType.INT64, shape);
        tensor.bytes().asLongBuffer().put(numbers);
        return tensor;
    }

    private static Tensor random(Random random, DType type, long... shape) {
        return Tensor.random(random.nextLong(), shape).to(type);
    }

    @ParameterizedTest
    @MethodSource("engines")
    void randomNodesTurnAsTheStandardSays(EngineInfo info) {
        Random random = new Random(5);
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int n = 0; n < 24; n++) {
                turn(engine, random, n);
            }
        }
    }

    /** Of 3 axes or 4, from the host or where the engine computes, with ids or tables of each row, whole or in part. */
    private static void turn(AttentionEngine engine, Random random, int n) {
        boolean threeAxes = n % 2 == 0;
        boolean ids = n / 2 % 2 == 0;
        boolean interleaved = n / 4 % 2 == 0;
        DType type = n % 3 == 0 ? DType.FLOAT16 : DType.FLOAT32;
        int batch = 1 + random.nextInt(3);
        int heads = 1 + random.nextInt(3);
        int length = 1 + random.nextInt(5);
        int width = 2 * (1 + random.nextInt(6));
        int turned = n / 8 % 2 == 0 ? width : 2 * (1 + random.nextInt(width / 2));
        Tensor input = threeAxes
                ? random(random, type, batch, length, (long) heads * width)
                : random(random, type, batch, heads, length, width);
        long[] tables = ids ? new long[] {40, turned / 2} : new long[] {batch, length, turned / 2};
        Tensor cosines = random(random, type, tables);
        Tensor sines = random(random, type, tables);
        Tensor positions = integers(random.longs((long) batch * length, 0, 40).toArray(), batch, length);
        OnnxRotaryEmbedding node =
                new OnnxRotaryEmbedding(interleaved, threeAxes ? heads : 0, turned == width && n % 5 > 0 ? 0 : turned);
        boolean there = random.nextBoolean();
        Tensor given = there ? engine.upload(input) : input;
        try (Tensor output =
                ids ? node.run(engine, given, cosines, sines, positions) : node.run(engine, given, cosines, sines)) {
            assertThat(output.isOnHost()).isEqualTo(given.isOnHost());
            assertThat(output.dtype()).isEqualTo(type);
            assertThat(output.shape()).containsExactly(input.shape());
            Tensor got = threeAxes ? output.reshape(batch, length, heads, width).permute(0, 2, 1, 3) : output;
            Tensor from = threeAxes ? input.reshape(batch, length, heads, width).permute(0, 2, 1, 3) : input;
            for (int b = 0; b < batch; b++) {
                for (int h = 0; h < heads; h++) {
                    for (int row = 0; row < length; row++) {
                        for (int d = 0; d < width; d++) {
                            double want = from.get(b, h, row, d);
                            if (d < turned) {
                                int pair = interleaved ? d / 2 : d % (turned / 2);
                                boolean isX = interleaved ? d % 2 == 0 : d < turned / 2;
                                int other = interleaved ? d ^ 1 : isX ? d + turned / 2 : d - turned / 2;
                                double cosine = ids
                                        ? cosines.get((long) positions.get(b, row), pair)
                                        : cosines.get(b, row, pair);
                                double sine =
                                        ids ? sines.get((long) positions.get(b, row), pair) : sines.get(b, row, pair);
                                want = want * cosine + (isX ? -1 : 1) * from.get(b, h, row, other) * sine;
                            }
                            double unit = type == DType.FLOAT32 ? 1e-6 : 1e-6 + 0x1p-11 * Math.abs(want);
                            assertThat(got.get(b, h, row, d))
                                    .as(engine + " " + node + " case " + n)
                                    .isCloseTo(want, within(unit));
                        }
                    }
                }
            }
        }
        given.close();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void randomUpdatesAreWrittenAsTheStandardSays(EngineInfo info) {
        Random random = new Random(6);
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int n = 0; n < 24; n++) {
                write(engine, random, n);
            }
        }
    }

    /** Of 3 to 5 axes, along each but the first; circular ones go around, even more than once. */
    private static void write(AttentionEngine engine, Random random, int n) {
        boolean circular = n % 2 == 0;
        int rank = 3 + n / 2 % 3;
        int axis = 1 + random.nextInt(rank - 1);
        long[] shape = random.longs(rank, 1, 5).toArray();
        int positions = 2 + random.nextInt(6);
        shape[axis] = positions;
        int rows = circular ? random.nextInt(2 * positions + 2) : random.nextInt(positions + 1);
        long[] updateShape = shape.clone();
        updateShape[axis] = rows;
        DType type = n % 3 == 0 ? DType.BFLOAT16 : DType.FLOAT32;
        Tensor past = random(random, type, shape);
        Tensor update = random(random, type, updateShape);
        long[] first = random.longs(shape[0], 0, circular ? positions : positions - rows + 1)
                .toArray();
        Tensor given = random.nextBoolean() ? engine.upload(past) : past;
        OnnxTensorScatter node = new OnnxTensorScatter(random.nextBoolean() ? axis : axis - rank, circular);
        double[] want = past.toDoubleArray();
        double[] written = update.toDoubleArray();
        int inner = 1;
        for (int after = axis + 1; after < rank; after++) {
            inner *= (int) shape[after];
        }
        int outer = want.length / inner / positions;
        for (int o = 0; o < outer; o++) {
            long start = first[(int) (o / (outer / shape[0]))];
            for (int row = 0; row < rows; row++) {
                int to = (int) ((start + row) % positions);
                System.arraycopy(written, (o * rows + row) * inner, want, (o * positions + to) * inner, inner);
            }
        }
        double[] before = past.toDoubleArray();
        try (Tensor present = node.run(engine, given, update, integers(first, first.length))) {
            assertThat(present.isOnHost()).isEqualTo(given.isOnHost());
            assertThat(present.dtype()).isEqualTo(type);
            assertThat(present.shape()).containsExactly(shape);
            assertThat(present.toDoubleArray())
                    .as(engine + " " + node + " case " + n)
                    .isEqualTo(want);
            assertThat(given.toDoubleArray()).as("the past").isEqualTo(before);
        }
        given.close();
    }

    @Test
    void withoutIndicesTheFirstPositionsAreWritten() {
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            Tensor past = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3, 1);
            Tensor update = Tensor.of(new float[] {7, 8}, 2, 1, 1);
            assertThat(OnnxTensorScatter.DEFAULT.run(engine, past, update).toFloatArray())
                    .containsExactly(7, 2, 3, 8, 5, 6);
        }
    }

    @Test
    void whatDoesNotFitIsRefusedByName() {
        Tensor input = Tensor.random(1, 2, 3, 4, 8);
        Tensor rows = Tensor.random(2, 2, 3, 32);
        Tensor table = Tensor.random(3, 50, 4);
        Tensor ofRows = Tensor.random(4, 2, 4, 4);
        Tensor ids = integers(new long[8], 2, 4);
        OnnxRotaryEmbedding node = OnnxRotaryEmbedding.DEFAULT;
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            refused(() -> node.run(engine, rows, table, table, ids), "numHeads: not given, must be where input has 3");
            refused(
                    () -> node.run(engine, input, table, table),
                    "cosCache: shape [50, 4], must be [2, 4, pairs] without");
            refused(
                    () -> node.run(engine, input, ofRows, ofRows, ids),
                    "cosCache: shape [2, 4, 4], must be [positions, pairs] with position ids");
            refused(() -> node.run(engine, input, table, table.slice(0, 0, 3), ids), "sines: shape [3, 4], must be");
            refused(
                    () -> new OnnxRotaryEmbedding(false, 0, 6).run(engine, input, table, table, ids),
                    "cosCache: last axis 4, must be half of the 6 elements");
            refused(
                    () -> node.run(engine, input, table, table, integers(new long[4], 4)),
                    "positionIds: type INT64, shape [4], must be INT64 [2, 4]");
            refused(
                    () -> node.run(engine, input, table, table, integers(new long[] {0, 0, 0, 0, 0, 0, 50, 0}, 2, 4)),
                    "positionIds: 50, must be from 0 to 49");
            refused(() -> new OnnxRotaryEmbedding(false, 0, 3), "rotaryEmbeddingDim: 3, must be even");
            refused(() -> new OnnxRotaryEmbedding(false, -1, 0), "numHeads: -1, must be 0 or more");
            OnnxTensorScatter scatter = OnnxTensorScatter.DEFAULT;
            Tensor past = Tensor.random(5, 2, 3, 4);
            Tensor update = Tensor.random(6, 2, 2, 4);
            refused(() -> new OnnxTensorScatter(0, false).run(engine, past, update), "axis: 0, must be an axis of");
            refused(() -> new OnnxTensorScatter(3, false).run(engine, past, update), "axis: 3, must be an axis of");
            refused(
                    () -> scatter.run(engine, past, update.slice(2, 0, 3)),
                    "update: shape [2, 2, 3], must be [2, 3, 4]");
            refused(() -> scatter.run(engine, past, update.to(DType.FLOAT16)), "update: type FLOAT16, must be FLOAT32");
            refused(
                    () -> scatter.run(engine, past.to(DType.INT32), update.to(DType.INT32)),
                    "pastCache: type INT32, must be");
            refused(
                    () -> scatter.run(engine, past, update, integers(new long[] {1, 2}, 2)),
                    "writeIndices: 2 of batch row 1 for 2 positions, must be within the 3 of pastCache");
            refused(
                    () -> new OnnxTensorScatter(1, true).run(engine, past, update, integers(new long[] {1, 3}, 2)),
                    "writeIndices: 3 of batch row 1");
            refused(
                    () -> scatter.run(engine, past, update, integers(new long[] {-1, 0}, 2)),
                    "writeIndices: -1, must be from 0");
            past.close();
            assertThatIllegalStateException()
                    .isThrownBy(() -> scatter.run(engine, past, update))
                    .withMessage("pastCache: the tensor is closed, must be open");
        }
    }

    private static void refused(Runnable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call::run).withMessageStartingWith(message);
    }
}
