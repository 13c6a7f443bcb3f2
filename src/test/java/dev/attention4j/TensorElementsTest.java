package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorElementsTest {
    private static final int[] NUMBERS = {0, 1, 2, 3, 4, 5};

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"BOOL", "Q8_0", "Q4_0"})
    void everyTypeIsReadInTheOrderOfTheLayout(DType dtype) {
        TensorElements turned = new TensorElements(
                dtype, TensorLayout.rowMajor(dtype, 2, 3).permute(1, 0), stored(dtype, NUMBERS), null);
        assertThat(turned.toFloatArray()).containsExactly(0, 3, 1, 4, 2, 5);
        assertThat(turned.toDoubleArray()).containsExactly(0, 3, 1, 4, 2, 5);
        assertThat(turned.toBooleanArray()).containsExactly(false, true, true, true, true, true);
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"BOOL", "Q8_0", "Q4_0"})
    void rowsAndSingleElementsAreCopiedAlike(DType dtype) {
        ByteBuffer bytes = stored(dtype, NUMBERS);
        TensorLayout columns = TensorLayout.rowMajor(dtype, 2, 3).slice(1, 1, 3);
        assertThat(copy(new TensorElements(dtype, columns, bytes, null), dtype)).containsExactly(1, 2, 4, 5);
        assertThat(copy(new TensorElements(dtype, columns.permute(1, 0), bytes, null), dtype))
                .containsExactly(1, 4, 2, 5);
        assertThat(copy(new TensorElements(dtype, columns, bytes, null), DType.FLOAT64))
                .containsExactly(1, 2, 4, 5);
    }

    @Test
    void aCopyOfFewerBitsIsRoundedToNearest() {
        ByteBuffer bytes = bytes(16).putDouble(0, 1 + 1e-3).putDouble(8, -65519.9);
        TensorElements doubles =
                new TensorElements(DType.FLOAT64, TensorLayout.rowMajor(DType.FLOAT64, 2), bytes, null);
        assertThat(copy(doubles, DType.FLOAT16)).containsExactly(1 + 1 / 1024.0, -65504);
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT64", "FLOAT32", "FLOAT16", "BFLOAT16", "INT32"})
    void rowsThatAreLongerThanARunAreReadAndWrittenWhole(DType dtype) {
        int[] numbers = new int[2 * 2500];
        // Few enough bits for a bfloat16, and no period that a run's length is a multiple of.
        Arrays.setAll(numbers, n -> n % 251);
        ByteBuffer bytes = stored(dtype, numbers);
        double[] asDoubles = Arrays.stream(numbers).asDoubleStream().toArray();
        for (DType type : List.of(DType.FLOAT64, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.INT32)) {
            assertThat(copy(new TensorElements(dtype, TensorLayout.rowMajor(dtype, 2, 2500), bytes, null), type))
                    .containsExactly(asDoubles);
        }
        TensorElements turned =
                new TensorElements(dtype, TensorLayout.rowMajor(dtype, 2500, 2).permute(1, 0), bytes, null);
        double[] columns = new double[numbers.length];
        Arrays.setAll(columns, n -> numbers[n % 2500 * 2 + n / 2500]);
        assertThat(turned.toDoubleArray()).containsExactly(columns);
        assertThat(copy(turned, DType.FLOAT16)).containsExactly(columns);
    }

    @Test
    void nothingAndASingleNumberAreElementsToo() {
        TensorElements single =
                new TensorElements(DType.FLOAT32, TensorLayout.rowMajor(DType.FLOAT32), stored(DType.FLOAT32, 7), null);
        assertThat(copy(single, DType.FLOAT32)).containsExactly(7);
        TensorElements none =
                new TensorElements(DType.FLOAT32, TensorLayout.rowMajor(DType.FLOAT32, 3, 0), bytes(0), null);
        assertThat(none.toFloatArray()).isEmpty();
        assertThat(copy(none, DType.FLOAT32)).isEmpty();
    }

    private static double[] copy(TensorElements elements, DType type) {
        int count = Math.toIntExact(elements.layout().elementCount());
        ByteBuffer target = bytes(count * type.bytes());
        elements.copyTo(type, target);
        return new TensorElements(type, TensorLayout.rowMajor(type, count), target, null).toDoubleArray();
    }

    private static ByteBuffer stored(DType dtype, int... numbers) {
        ByteBuffer bytes = bytes(numbers.length * dtype.bytes());
        for (int n = 0; n < numbers.length; n++) {
            dtype.write(bytes, n * dtype.bytes(), numbers[n]);
        }
        return bytes;
    }

    private static ByteBuffer bytes(int count) {
        return ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder());
    }

    @Test
    void integersThatNoDoubleHoldsAreCopiedToTheLastBit() {
        long[] numbers = {(1L << 53) + 1, -(1L << 53) - 1, Long.MAX_VALUE, Long.MIN_VALUE};
        Tensor tensor = Tensor.zeros(DType.INT64, 2, 2);
        tensor.bytes().asLongBuffer().put(numbers);
        Tensor turned = tensor.permute(1, 0).contiguous();
        long[] found = new long[4];
        turned.bytes().asLongBuffer().get(found);
        assertThat(found).containsExactly(numbers[0], numbers[2], numbers[1], numbers[3]);
    }

    @Test
    void integersAreRoundedOnce() {
        long[] numbers = {
            (1L << 54) + (1L << 30) + 1,
            -(1L << 54) - (1L << 30) - 1,
            (1L << 54) + (1L << 46) + 1,
            Long.MAX_VALUE,
            1 << 20
        };
        Tensor tensor = Tensor.zeros(DType.INT64, numbers.length);
        tensor.bytes().asLongBuffer().put(numbers);
        float[] floats = tensor.to(DType.FLOAT32).toFloatArray();
        for (int n = 0; n < numbers.length; n++) {
            assertThat(floats[n]).as("%d", numbers[n]).isEqualTo((float) numbers[n]);
        }
        assertThat(tensor.to(DType.BFLOAT16).get(2)).isEqualTo(0x1p54 + 0x1p47);
    }

    /** Whose other axes are longer than any array. */
    @Test
    void ofNothingNothingIsCopied() {
        Tensor nothing = Tensor.zeros(DType.FLOAT32, 2, 3, 1L << 31, 0).permute(3, 1, 0, 2);
        assertThat(nothing.contiguous().shape()).isEqualTo(nothing.shape());
        assertThat(nothing.to(DType.FLOAT16).elementCount()).isZero();
    }

    @Test
    void integersAreRoundedToNearestAndEndWhereTheirTypeDoes() {
        Tensor numbers = Tensor.of(new float[] {2.7f, -2.5f, 70_000, -1e20f, Float.NaN, 300}, 6);
        assertThat(numbers.to(DType.INT64).toDoubleArray()).containsExactly(3, -2, 70_000, -0x1p63, 0, 300);
        assertThat(numbers.to(DType.INT32).toDoubleArray()).containsExactly(3, -2, 70_000, -0x1p31, 0, 300);
        assertThat(numbers.to(DType.INT16).toDoubleArray()).containsExactly(3, -2, 32_767, -32_768, 0, 300);
        assertThat(numbers.to(DType.INT8).toDoubleArray()).containsExactly(3, -2, 127, -128, 0, 127);
        assertThat(numbers.to(DType.UINT8).toDoubleArray()).containsExactly(3, 0, 255, 0, 0, 255);
    }
}
