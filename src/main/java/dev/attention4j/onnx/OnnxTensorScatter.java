package dev.attention4j.onnx;

import dev.attention4j.AttentionEngine;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A node of the ONNX standard's operator TensorScatter, opset 24 (<a
 * href="https://onnx.ai/onnx/operators/onnx__TensorScatter.html">the operator</a>): its attributes, and a way to run it. The
 * past is copied, as the standard defines it; {@link AttentionEngine#scatter} writes in place.
 *
 * @param axis the axis of positions, not the first; −2 by default
 * @param circular {@code mode}: true for {@code circular}, in which positions after the last go on with 0; false, the default,
 *     for {@code linear}
 */
public record OnnxTensorScatter(int axis, boolean circular) {
    /** The standard's defaults. */
    public static final OnnxTensorScatter DEFAULT = new OnnxTensorScatter(-2, false);

    /**
     * Runs the node, writing from position 0.
     *
     * @param engine where to compute
     * @param pastCache [batch, ..., positions, ...], FLOAT32, FLOAT16 or BFLOAT16
     * @param update the same shape and type, but for the positions
     * @return present_cache, of the past's shape and type, where the past is
     * @throws IllegalArgumentException as {@link #run(AttentionEngine, Tensor, Tensor, Tensor)}
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public Tensor run(AttentionEngine engine, Tensor pastCache, Tensor update) {
        TensorChecks.open("pastCache", pastCache);
        return run(engine, pastCache, update, new int[pastCache.rank() == 0 ? 0 : (int) pastCache.size(0)]);
    }

    /**
     * Runs the node.
     *
     * @param engine where to compute
     * @param pastCache [batch, ..., positions, ...], FLOAT32, FLOAT16 or BFLOAT16
     * @param update the same shape and type, but for the positions
     * @param writeIndices INT64 [batch], the first position that is written
     * @return present_cache, of the past's shape and type, where the past is
     * @throws IllegalArgumentException if attributes and inputs do not fit each other, or positions after the last would be
     *     written; says which argument and what it must be
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public Tensor run(AttentionEngine engine, Tensor pastCache, Tensor update, Tensor writeIndices) {
        TensorChecks.open("pastCache", pastCache);
        long batch = pastCache.rank() == 0 ? 0 : pastCache.size(0);
        return run(engine, pastCache, update, Integers.of("writeIndices", writeIndices, Integer.MAX_VALUE, batch));
    }

    private Tensor run(AttentionEngine engine, Tensor pastCache, Tensor update, int... first) {
        TensorChecks.open("update", update);
        TensorChecks.storage("pastCache", pastCache);
        TensorChecks.sameType("update", update, "pastCache", pastCache);
        int rank = pastCache.rank();
        int at = axis < 0 ? axis + rank : axis;
        if (at < 1 || at >= rank) {
            throw new IllegalArgumentException("axis: " + axis + ", must be an axis of pastCache "
                    + Arrays.toString(pastCache.shape()) + " after the first");
        }
        long[] mustBe = pastCache.shape();
        if (update.rank() == rank) {
            mustBe[at] = update.size(at);
        }
        if (!Arrays.equals(update.shape(), mustBe)) {
            throw new IllegalArgumentException("update: shape " + Arrays.toString(update.shape()) + ", must be "
                    + Arrays.toString(pastCache.shape()) + " as pastCache is, but for axis " + at);
        }
        int positions = (int) pastCache.size(at);
        List<RowCopy> copies = copies(positions, (int) update.size(at), first);
        Tensor past = rows(pastCache, at);
        Tensor present = engine.zeros(past.dtype(), past.shape());
        try {
            List<RowCopy> all = IntStream.range(0, first.length)
                    .mapToObj(row -> new RowCopy(row, 0, row, 0, positions))
                    .toList();
            List<Tensor> target = List.of(present);
            engine.scatter(
                    target,
                    List.of(past),
                    all,
                    () -> engine.scatter(target, List.of(rows(update, at)), copies, () -> null));
            if (present.isOnHost() || !pastCache.isOnHost()) {
                return present.reshape(pastCache.shape());
            }
            Tensor onHost = engine.download(present);
            present.close();
            return onHost.reshape(pastCache.shape());
        } catch (RuntimeException | Error e) {
            present.close();
            throw e;
        }
    }

    /** Returns [batch, axes before the positions, positions, axes after them]. */
    private static Tensor rows(Tensor tensor, int at) {
        if (tensor.rank() == 4 && at == 2) {
            return tensor;
        }
        long[] shape = tensor.shape();
        long before = Arrays.stream(shape, 1, at).reduce(1, Math::multiplyExact);
        long after = Arrays.stream(shape, at + 1, shape.length).reduce(1, Math::multiplyExact);
        Tensor whole = tensor.isContiguous() ? tensor : tensor.contiguous();
        return whole.reshape(shape[0], before, shape[at], after);
    }

    /** Where an update's rows go; of more rows than there are positions, the last ones. */
    private List<RowCopy> copies(int positions, int rows, int... first) {
        List<RowCopy> copies = new ArrayList<>();
        for (int row = 0; row < first.length; row++) {
            long most = circular ? positions - 1L : (long) positions - rows;
            if (first[row] > Math.max(0, most) || (!circular && most < 0)) {
                throw new IllegalArgumentException("writeIndices: " + first[row] + " of batch row " + row + " for "
                        + rows + " positions, must be within the " + positions + " of pastCache");
            }
            if (rows == 0 || positions == 0) {
                continue;
            }
            int skipped = Math.max(0, rows - positions);
            int start = (first[row] + skipped) % positions;
            int straight = Math.min(rows - skipped, positions - start);
            copies.add(new RowCopy(row, skipped, row, start, straight));
            int around = rows - skipped - straight;
            if (around > 0) {
                copies.add(new RowCopy(row, skipped + straight, row, 0, around));
            }
        }
        return copies;
    }
}
