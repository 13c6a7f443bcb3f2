package dev.attention4j.opencl.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link Append} writes each row to its place, in the target's type, and nothing else. */
class AppendTest {
    private static final List<DType> TYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

    /** Not 0, so that rows that must stay are seen. */
    private static final float BEFORE = 7;

    static Iterable<EngineInfo> engines() {
        return TestEngines.underTest();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void everyTypeIsWrittenAsTensorsAreConverted(EngineInfo info) {
        int[] positions = {4, 0, 69};
        int[] counts = {66, 0, 1};
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (DType from : TYPES) {
                for (DType to : TYPES) {
                    check(engine, from, to, positions, counts);
                }
            }
        }
    }

    /** More rows than a work-group takes, and widths that are no whole vectors; values of another width. */
    private static void check(AttentionEngine engine, DType from, DType to, int[] positions, int[] counts) {
        Tensor key = Tensor.random(1, 3, 2, 66, 37).to(from);
        Tensor value = Tensor.random(2, 3, 2, 66, 5).to(from);
        Tensor keysBefore = filled(to, 3, 2, 70, 37);
        Tensor valuesBefore = filled(to, 3, 2, 70, 5);
        try (Tensor keys = engine.upload(keysBefore);
                Tensor values = engine.upload(valuesBefore)) {
            engine.scatter(List.of(keys, values), List.of(key, value), positions, counts);
            assertThat(engine.download(keys).to(DType.FLOAT32).toFloatArray())
                    .as(engine + " " + from + " to " + to)
                    .isEqualTo(expected(keysBefore, key.to(to), positions, counts));
            assertThat(engine.download(values).to(DType.FLOAT32).toFloatArray())
                    .isEqualTo(expected(valuesBefore, value.to(to), positions, counts));
            engine.scatter(List.of(values), List.of(value), new int[] {0, 0, 0}, new int[] {1, 1, 1});
            assertThat(engine.download(values).slice(2, 0, 1).to(DType.FLOAT32).toFloatArray())
                    .as("alone")
                    .isEqualTo(value.to(to).slice(2, 0, 1).to(DType.FLOAT32).toFloatArray());
        }
    }

    /** A work-item of 64 such rows would need more iterations of loops than some drivers make. */
    @ParameterizedTest
    @MethodSource("engines")
    void wideRowsAreWrittenWhole(EngineInfo info) {
        Tensor rows = Tensor.random(1, 1, 1, 64, 4100);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor target = engine.zeros(DType.FLOAT32, 1, 1, 64, 4100)) {
            engine.scatter(List.of(target), List.of(rows), new int[1], new int[] {64});
            assertThat(Arrays.equals(engine.download(target).toFloatArray(), rows.toFloatArray()))
                    .isTrue();
        }
    }

    /** The call that follows reads the rows; where it fails, the engine is as before and can be closed. */
    @ParameterizedTest
    @MethodSource("engines")
    void aCallThatFollowsReadsTheRowsOrFails(EngineInfo info) {
        Tensor rows = Tensor.random(1, 1, 1, 1, 8);
        List<RowCopy> one = List.of(new RowCopy(0, 0, 0, 0, 1));
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor target = engine.zeros(DType.FLOAT32, 1, 1, 1, 8)) {
            try (AttentionResult result =
                    engine.scatter(List.of(target), List.of(rows), one, () -> engine.attend(rows, target, target))) {
                assertThat(result.output().toFloatArray()).isEqualTo(rows.toFloatArray());
            }
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.scatter(
                            List.of(target),
                            List.of(rows),
                            one,
                            () -> engine.attend(rows.slice(3, 0, 7), target, target)))
                    .withMessageStartingWith("key: headDim 8, must be 7");
        }
    }

    /** Pages of a cache: several runs of rows into one batch row, from any other; and from place to place of one tensor. */
    @ParameterizedTest
    @MethodSource("engines")
    void rowsAreCopiedBetweenBatchRows(EngineInfo info) {
        Tensor rows = Tensor.random(1, 2, 2, 5, 9);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor pages = engine.zeros(DType.FLOAT16, 4, 2, 3, 9)) {
            List<RowCopy> writes =
                    List.of(new RowCopy(1, 0, 2, 1, 2), new RowCopy(1, 2, 0, 0, 3), new RowCopy(0, 4, 2, 0, 1));
            engine.scatter(List.of(pages), List.of(rows), writes, () -> null);
            engine.scatter(List.of(pages), List.of(pages), List.of(new RowCopy(2, 1, 3, 0, 2)), () -> null);
            Tensor got = engine.download(pages);
            Tensor half = rows.to(DType.FLOAT16);
            Object[][] expected = {
                {rows(got, 2, 0, 1), rows(half, 0, 4, 5)}, {rows(got, 2, 1, 3), rows(half, 1, 0, 2)},
                {rows(got, 0, 0, 3), rows(half, 1, 2, 5)}, {rows(got, 3, 0, 2), rows(half, 1, 0, 2)},
                {rows(got, 1, 0, 3), new float[54]}, {rows(got, 3, 2, 3), new float[18]}
            };
            for (Object[] pair : expected) {
                assertThat(pair[0]).isEqualTo(pair[1]);
            }
            for (RowCopy outside : List.of(
                    new RowCopy(2, 0, 0, 0, 1),
                    new RowCopy(0, 3, 0, 0, 3),
                    new RowCopy(0, -1, 0, 0, 1),
                    new RowCopy(0, 0, 4, 0, 1),
                    new RowCopy(0, 0, 0, 1, 3),
                    new RowCopy(0, 0, 0, 0, -1))) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> engine.scatter(List.of(pages), List.of(rows), List.of(outside), () -> null))
                        .withMessageStartingWith("copies: " + outside + ", must be within the ");
            }
        }
    }

    private static float[] rows(Tensor tensor, int batch, int from, int to) {
        return tensor.slice(0, batch, batch + 1)
                .slice(2, from, to)
                .to(DType.FLOAT32)
                .toFloatArray();
    }

    @ParameterizedTest
    @MethodSource("engines")
    void shapesThatCannotBeAreRefused(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.zeros(DType.FLOAT32, 2, -1))
                    .withMessageStartingWith("shape: axis 1 is -1, must be 0 or more");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.zeros(DType.FLOAT32, 1L << 32, 1L << 30))
                    .withMessageStartingWith("shape [4294967296, 1073741824]");
        }
    }

    private static Tensor filled(DType type, long... shape) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, shape);
        for (int n = 0; n < tensor.elementCount(); n++) {
            tensor.floats().put(n, BEFORE);
        }
        return tensor.to(type);
    }

    private static float[] expected(Tensor before, Tensor rows, int[] positions, int[] counts) {
        float[] all = before.to(DType.FLOAT32).toFloatArray();
        float[] source = rows.to(DType.FLOAT32).toFloatArray();
        int heads = (int) before.size(1);
        int width = (int) before.size(3);
        for (int slice = 0; slice < before.size(0) * heads; slice++) {
            int batch = slice / heads;
            for (int row = 0; row < counts[batch]; row++) {
                long to = slice * before.size(2) + positions[batch] + row;
                System.arraycopy(source, (int) (slice * rows.size(2) + row) * width, all, (int) to * width, width);
            }
        }
        return all;
    }

    @ParameterizedTest
    @MethodSource("engines")
    void placesOutsideOfTheTargetAreRefused(EngineInfo info) {
        Tensor rows = Tensor.random(1, 1, 1, 3, 4);
        try (AttentionEngine engine = TestEngines.open(info);
                Tensor target = engine.zeros(DType.FLOAT32, 1, 1, 5, 4)) {
            refused(
                    engine,
                    target,
                    rows,
                    3,
                    3,
                    "positions: 3 of batch row 0 for 3 rows, must be within the target's 5");
            refused(engine, target, rows, -1, 1, "positions: -1");
            refused(engine, target, rows, 0, 4, "counts: 4 of batch row 0, must be from 0 to the source's 3 rows");
            refused(engine, target, rows, 0, -1, "counts: -1");
            refused(engine, target.slice(3, 0, 3), rows, 0, 1, "targets: ");
            refused(engine, target, rows.slice(3, 0, 3), 0, 1, "sources: shape [1, 1, 3, 3], must be [1, 1, 3, 4]");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> engine.scatter(
                            List.of(target, Tensor.zeros(DType.FLOAT32, 1, 2, 5, 4)),
                            List.of(rows, Tensor.random(1, 1, 2, 3, 4)),
                            new int[1],
                            new int[] {1}))
                    .withMessageStartingWith("targets: heads 2, must be 1 as the first target has");
            assertThat(engine.download(target).toFloatArray()).containsOnly(0);
        }
    }

    private static void refused(
            AttentionEngine engine, Tensor target, Tensor source, int position, int count, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> engine.scatter(List.of(target), List.of(source), new int[] {position}, new int[] {count}))
                .withMessageStartingWith(message);
    }
}
