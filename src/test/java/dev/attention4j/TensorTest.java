package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.testing.ChildJvm;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorTest {
    private static Tensor counting(long... shape) {
        float[] elements = new float[(int) TensorLayout.elementCount(shape)];
        for (int n = 0; n < elements.length; n++) {
            elements[n] = n;
        }
        return Tensor.of(elements, shape);
    }

    @Test
    void whatIsNullIsNamed() {
        assertThatNullPointerException()
                .isThrownBy(() -> Tensor.of((float[]) null, 1))
                .withMessage("elements");
        assertThatNullPointerException()
                .isThrownBy(() -> Tensor.of((boolean[]) null, 1))
                .withMessage("elements");
        assertThatNullPointerException()
                .isThrownBy(() -> Tensor.of((FloatBuffer) null, 1))
                .withMessage("elements");
        assertThatNullPointerException()
                .isThrownBy(() -> Tensor.wrap(null, DType.FLOAT32, 1))
                .withMessage("bytes");
        assertThatNullPointerException()
                .isThrownBy(() -> Tensor.wrap(ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder()), null, 1))
                .withMessage("dtype");
    }

    @Test
    void keepsWhatItWasGiven() {
        Tensor tensor = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        assertThat(tensor.toFloatArray()).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(tensor.get(1, 2)).isEqualTo(6);
        assertThat(tensor.shape()).containsExactly(2, 3);
        assertThat(tensor.strides()).containsExactly(3, 1);
        assertThat(tensor.size(-1)).isEqualTo(3);
        assertThat(tensor.byteSize()).isEqualTo(24);
        assertThat(tensor.floats().isDirect()).isTrue();
        assertThat(tensor.bytes().order()).isEqualTo(ByteOrder.nativeOrder());
    }

    @Test
    void isMadFromABufferWhosePositionStays() {
        FloatBuffer buffer = FloatBuffer.wrap(new float[] {9, 1, 2}).position(1);
        assertThat(Tensor.of(buffer, 2).toFloatArray()).containsExactly(1, 2);
        assertThat(buffer.position()).isEqualTo(1);
    }

    @Test
    void aWrappedBufferIsShared() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(12).order(ByteOrder.nativeOrder());
        bytes.position(4);
        Tensor tensor = Tensor.wrap(bytes, DType.FLOAT32, 2);
        bytes.putFloat(8, 7);
        assertThat(tensor.toFloatArray()).containsExactly(0, 7);
    }

    @Test
    void aWrappedBufferMustFit() {
        ByteBuffer direct = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(ByteBuffer.allocate(8), DType.FLOAT32, 2))
                .withMessageContaining("must be direct");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(direct, DType.FLOAT32, 3))
                .withMessageContaining("has 8 bytes, must be 12");
        ByteOrder other =
                ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.wrap(direct.duplicate().order(other), DType.FLOAT32, 2))
                .withMessageContaining("order");
    }

    @Test
    void countsMustFitTheShape() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.of(new float[5], 2, 3))
                .withMessageContaining("5 given, must be 6");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.zeros(DType.FLOAT32, 2, -3))
                .withMessageContaining("axis 1 is -3");
    }

    @Test
    void whatIsTooLargeIsRefusedAndNotWrappedAround() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.zeros(DType.FLOAT32, 1L << 20, 1L << 12))
                .withMessageContaining("4294967296 elements")
                .withMessageContaining("split it");
        // 2^64 elements: the product of the axes is 0 in 64 bits.
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.zeros(DType.FLOAT32, 1L << 32, 1L << 32))
                .withMessageContaining("more than 2^63");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.of(new float[0], 1L << 32, 1L << 32))
                .withMessageContaining("more than 2^63");
    }

    @Test
    void emptyAxesAreLegal() {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, 2, 0, 1L << 40);
        assertThat(tensor.elementCount()).isZero();
        assertThat(tensor.toFloatArray()).isEmpty();
        assertThat(tensor.permute(2, 1, 0).contiguous().toFloatArray()).isEmpty();
    }

    @Test
    void permutedViewsShareMemory() {
        Tensor tensor = counting(2, 3, 4);
        Tensor view = tensor.permute(1, 0, 2);
        assertThat(view.shape()).containsExactly(3, 2, 4);
        assertThat(view.get(2, 1, 3)).isEqualTo(tensor.get(1, 2, 3));
        assertThat(view.isContiguous()).isFalse();
        tensor.floats().put(0, 99);
        assertThat(view.get(0, 0, 0)).isEqualTo(99);
        assertThat(view.contiguous().toFloatArray()).startsWith(99, 1, 2, 3, 12, 13);
        assertThat(tensor.permute(2, 1, 0).contiguous().toFloatArray()).startsWith(99, 12, 4, 16);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tensor.permute(0, 0, 1))
                .withMessageContaining("once");
    }

    @Test
    void broadcastRepeatsAxesOfOneAndNewOnes() {
        Tensor tensor = counting(2, 1, 3);
        Tensor view = tensor.broadcast(2, 2, 2, 3);
        assertThat(view.strides()).containsExactly(0, 3, 0, 1);
        assertThat(view.toFloatArray())
                .containsExactly(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
        assertThat(view.isContiguous()).isFalse();
        tensor.floats().put(5, 99);
        assertThat(view.get(1, 1, 0, 2)).isEqualTo(99);
        assertThat(view.slice(2, 1, 2).contiguous().toFloatArray())
                .containsExactly(0, 1, 2, 3, 4, 99, 0, 1, 2, 3, 4, 99);
        // Along a stride of 0 in the last axis, of a view with gaps, and of each storage.
        Tensor column = tensor.permute(2, 0, 1).slice(0, 1, 3).broadcast(2, 2, 2);
        assertThat(column.toDoubleArray()).containsExactly(1, 1, 4, 4, 2, 2, 99, 99);
        assertThat(column.to(DType.FLOAT16).toFloatArray()).containsExactly(1, 1, 4, 4, 2, 2, 99, 99);
        assertThat(Tensor.of(new boolean[] {true, false}, 2, 1)
                        .broadcast(2, 2)
                        .contiguous()
                        .toBooleanArray())
                .containsExactly(true, true, false, false);
        assertThat(Tensor.of(new float[] {7}).broadcast(2, 0, 3).toFloatArray()).isEmpty();
        assertThat(counting(1).reshape().broadcast(3).toFloatArray()).containsExactly(0, 0, 0);
    }

    @Test
    void broadcastRefusesWhatDoesNotFit() {
        Tensor tensor = counting(2, 1, 3);
        for (long[] shape : new long[][] {{2, 2}, {3, 1, 3}, {2, 1, 1}, {2, 4, 0}}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> tensor.broadcast(shape))
                    .withMessageContaining("must be, right-aligned, [2, 1, 3] but where");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tensor.broadcast(2, -1, 3))
                .withMessageContaining("axis 1 is -1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tensor.broadcast(1L << 62, 2, 1, 3))
                .withMessageContaining("more than 2^63 elements");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tensor.broadcast(1L << 31, 2, 1, 3).toFloatArray())
                .withMessageContaining("slice it");
    }

    @Test
    void slicesAreViews() {
        Tensor slice = counting(3, 4).slice(1, 1, 3);
        assertThat(slice.toFloatArray()).containsExactly(1, 2, 5, 6, 9, 10);
        assertThat(slice.contiguous().isContiguous()).isTrue();
        assertThat(counting(3, 4).slice(0, 1, 2).toFloatArray()).containsExactly(4, 5, 6, 7);
        assertThat(counting(3, 4).slice(0, 1, 2).floats().get(0)).isEqualTo(4);
        assertThat(counting(3, 4).slice(0, 3, 3).slice(1, 4, 4).toFloatArray()).isEmpty();
        assertThat(Tensor.zeros(DType.FLOAT32, 2, 0, 4).slice(0, 1, 2).bytes().capacity())
                .isZero();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> counting(3, 4).slice(0, 2, 5))
                .withMessageContaining("within 0 to 3");
    }

    @Test
    void reshapeKeepsOrderAndCount() {
        assertThat(counting(2, 6).reshape(3, 4).get(2, 0)).isEqualTo(8);
        assertThatIllegalArgumentException().isThrownBy(() -> counting(2, 6).reshape(5));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> counting(2, 6).permute(1, 0).reshape(12))
                .withMessageContaining("contiguous()");
    }

    @Test
    void everyTypeKeepsItsNumbers() {
        for (DType dtype : DType.values()) {
            if (dtype.isQuantized()) {
                continue; // QuantizationTest
            }
            Tensor tensor = Tensor.of(new float[] {0, 1, 1, 0}, 2, 2).to(dtype);
            assertThat(tensor.dtype()).isEqualTo(dtype);
            assertThat(tensor.toFloatArray()).as(dtype.name()).containsExactly(0, 1, 1, 0);
            assertThat(tensor.toBooleanArray()).containsExactly(false, true, true, false);
        }
        assertThat(Tensor.of(new float[] {-3, 255}, 2).to(DType.INT16).toDoubleArray())
                .containsExactly(-3, 255);
        assertThat(Tensor.of(new float[] {200}, 1).to(DType.UINT8).get(0)).isEqualTo(200);
    }

    @Test
    void aClosedTensorSaysSo() {
        Tensor tensor = counting(2, 3);
        Tensor view = tensor.permute(1, 0);
        tensor.close();
        tensor.close();
        assertThat(view.isClosed()).isTrue();
        assertThatIllegalStateException().isThrownBy(view::toFloatArray).withMessageContaining("closed");
        assertThat(tensor.toString()).contains("closed");
    }

    @Test
    void anIndexOutOfRangeIsRefused() {
        assertThatThrownBy(() -> counting(2, 3).get(0, 3)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> counting(2, 3).get(0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void axesCountFromTheFrontOrFromBehind() {
        Tensor tensor = counting(2, 3);
        assertThat(tensor.size(1)).isEqualTo(3);
        assertThat(tensor.size(-2)).isEqualTo(2);
        assertThatThrownBy(() -> tensor.size(2))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessage("axis: 2, must be -2 to 1 for the shape [2, 3]");
        assertThatThrownBy(() -> tensor.size(-3))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageStartingWith("axis: -3, must be");
        assertThat(tensor.slice(-1, 1, 3).toFloatArray()).containsExactly(1, 2, 4, 5);
        assertThatThrownBy(() -> tensor.slice(2, 0, 1))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessage("axis: 2, must be -2 to 1 for the shape [2, 3]");
    }

    /** Prints what a tensor that is too large for this JVM says. */
    static final class TooLarge {
        private TooLarge() {}

        public static void main(String[] arguments) {
            try {
                Tensor.zeros(DType.FLOAT32, 50_000_000);
            } catch (OutOfMemoryError e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void memoryThatIsNotThereIsAskedForByTheOptionThatGivesIt(@TempDir Path directory) throws Exception {
        assertThat(new ChildJvm(TooLarge.class).options("-Xmx64m").run(directory))
                .contains("a tensor of 200000128 bytes", "-XX:MaxDirectMemorySize");
    }

    @Test
    void randomIsTheSameForTheSameSeed() {
        assertThat(Tensor.random(5, 10).toFloatArray())
                .isEqualTo(Tensor.random(5, 10).toFloatArray())
                .isNotEqualTo(Tensor.random(6, 10).toFloatArray());
    }
}
