package dev.attention4j.spi;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Refuses numbers and tensors that do not fit, before anything runs; each error begins with the name of the argument. */
public final class TensorChecks {
    private TensorChecks() {}

    /** Refuses a number below a limit, and returns it otherwise. */
    public static int atLeast(String name, int number, int least) {
        return (int) atLeast(name, (long) number, least);
    }

    /** Refuses a number below a limit, and returns it otherwise. */
    public static long atLeast(String name, long number, int least) {
        if (number < least) {
            throw new IllegalArgumentException(name + ": " + number + ", must be " + least + " or more");
        }
        return number;
    }

    /** Refuses a closed tensor. */
    public static void open(String name, Tensor tensor) {
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
    }

    /** Refuses a type that query, key and value may not have. */
    public static void storage(String name, Tensor tensor) {
        tensor.dtype().checkAttentionStorage(name);
    }

    /** Refuses another type than that of a tensor named {@code like}. */
    public static void sameType(String name, Tensor tensor, String like, Tensor other) {
        if (tensor.dtype() != other.dtype()) {
            throw new IllegalArgumentException(
                    name + ": type " + tensor.dtype() + ", must be " + other.dtype() + " as " + like + " has");
        }
    }

    /** Refuses another number of axes than that of a tensor named {@code like}. */
    public static void sameRank(String name, Tensor tensor, String like, Tensor other) {
        if (tensor.rank() != other.rank()) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape()) + ", must have the "
                    + other.rank() + " axes of " + like + "'s " + Arrays.toString(other.shape()));
        }
    }

    /** Names the first axis whose size differs, for an error; empty if the ranks differ. */
    public static String differs(Tensor tensor, long... mustBe) {
        int axis = Arrays.mismatch(tensor.shape(), mustBe);
        return tensor.rank() == mustBe.length
                ? ": axis " + axis + " is " + tensor.size(axis) + ", must be " + mustBe[axis]
                : "";
    }

    /**
     * Refuses what {@link AttentionEngine#scatter} cannot write; returns the rows of each batch row, of which none may be left
     * out.
     */
    public static List<RowCopy> scatter(List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts) {
        checkRows(targets, sources);
        Tensor target = targets.get(0);
        for (int n = 0; n < targets.size(); n++) {
            sameBatch("sources", sources.get(n), target.size(0));
            sameBatch("targets", targets.get(n), target.size(0));
        }
        if (positions.length != target.size(0) || counts.length != target.size(0)) {
            throw new IllegalArgumentException("positions: " + positions.length + ", counts: " + counts.length
                    + ", must be " + target.size(0) + " as the target's batch");
        }
        List<RowCopy> copies = new ArrayList<>();
        for (int batch = 0; batch < counts.length; batch++) {
            if (counts[batch] < 0 || counts[batch] > rows(sources)) {
                throw new IllegalArgumentException("counts: " + counts[batch] + " of batch row " + batch
                        + ", must be from 0 to the source's " + rows(sources) + " rows");
            }
            if (positions[batch] < 0 || positions[batch] > rows(targets) - counts[batch]) {
                throw new IllegalArgumentException("positions: " + positions[batch] + " of batch row " + batch + " for "
                        + counts[batch] + " rows, must be within the target's " + rows(targets));
            }
            copies.add(new RowCopy(batch, 0, batch, positions[batch], counts[batch]));
        }
        return copies;
    }

    /** Refuses what {@link AttentionEngine#scatter} cannot copy. */
    public static void scatter(List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies) {
        checkRows(targets, sources);
        for (int n = 0; n < targets.size(); n++) {
            sameBatch("sources", sources.get(n), sources.get(0).size(0));
            sameBatch("targets", targets.get(n), targets.get(0).size(0));
        }
        for (RowCopy copy : copies) {
            within("sources", sources, copy, copy.fromBatch(), copy.fromRow(), copy.count());
            within("targets", targets, copy, copy.toBatch(), copy.toRow(), copy.count());
        }
    }

    private static void within(String name, List<Tensor> tensors, RowCopy copy, int batch, int row, int count) {
        long batches = tensors.get(0).size(0);
        if (count < 0 || batch < 0 || batch >= batches || row < 0 || row > rows(tensors) - count) {
            throw new IllegalArgumentException("copies: " + copy + ", must be within the " + batches + " batch rows of "
                    + rows(tensors) + " rows of " + name);
        }
    }

    /** Returns the rows of the tensor that has the fewest. */
    private static long rows(List<Tensor> tensors) {
        return tensors.stream().mapToLong(tensor -> tensor.size(2)).min().orElse(0);
    }

    private static void sameBatch(String name, Tensor tensor, long batch) {
        if (tensor.size(0) != batch) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(tensor.shape()) + ", must have a batch of " + batch);
        }
    }

    private static void checkRows(List<Tensor> targets, List<Tensor> sources) {
        if (targets.isEmpty() || targets.size() > 2 || sources.size() != targets.size()) {
            throw new IllegalArgumentException("targets: " + targets.size() + ", sources: " + sources.size()
                    + ", must be one or two, as many of each");
        }
        for (int n = 0; n < targets.size(); n++) {
            Tensor target = targets.get(n);
            Tensor source = sources.get(n);
            open("targets", target);
            open("sources", source);
            target.dtype().checkKeyValueStorage("targets");
            if (source.dtype() != target.dtype()) {
                storage("sources", source);
            }
            long[] mustBe = target.shape();
            if (mustBe.length != 4 || !target.isContiguous()) {
                throw new IllegalArgumentException(
                        "targets: " + target + ", must be row-major of four axes [batch, heads, capacity, width]");
            }
            if (source.rank() == 4) {
                mustBe[0] = source.size(0);
                mustBe[2] = source.size(2);
            }
            if (!Arrays.equals(source.shape(), mustBe)) {
                throw new IllegalArgumentException("sources: shape " + Arrays.toString(source.shape()) + ", must be "
                        + Arrays.toString(mustBe) + " but for batch and rows, as the target is");
            }
            if (mustBe[1] != targets.get(0).size(1)) {
                throw new IllegalArgumentException("targets: heads " + mustBe[1] + ", must be "
                        + targets.get(0).size(1) + " as the first target has");
            }
        }
    }

    /** Refuses what {@link AttentionEngine#rotate(Tensor, RotaryEmbedding, int...)} cannot turn. */
    public static void rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        Objects.requireNonNull(rotary, "rotary");
        Objects.requireNonNull(positions, "positions");
        open("heads", Objects.requireNonNull(heads, "heads"));
        open("rotary", rotary.cosines());
        open("rotary", rotary.sines());
        storage("heads", heads);
        if (heads.rank() != 4 || heads.size(3) < rotary.rotaryDim()) {
            throw new IllegalArgumentException("heads: shape " + Arrays.toString(heads.shape())
                    + ", must be [batch, heads, rows, width] with a width of " + rotary.rotaryDim()
                    + " or more, which the rotary embedding turns");
        }
        long batch = heads.size(0);
        long rows = heads.size(2);
        if (positions.length != batch && positions.length != batch * rows) {
            throw new IllegalArgumentException("positions: " + positions.length + " numbers, must be " + batch
                    + ", one for each batch row, or " + batch * rows + ", one for each of its rows");
        }
        long following = positions.length == batch ? Math.max(0, rows - 1) : 0;
        for (int n = 0; n < positions.length; n++) {
            if (positions[n] < 0 || positions[n] + following >= rotary.positions()) {
                throw new IllegalArgumentException("positions: " + positions[n] + " at index " + n
                        + (following == 0 ? "" : " and " + following + " more from there")
                        + ", must be within the rotary embedding's " + rotary.positions() + " positions");
            }
        }
    }

    /** Refuses what {@link dev.attention4j.Projector#weightGradients} cannot multiply. */
    public static void weightGradients(Tensor input, Tensor gate, List<Tensor> resultGradients) {
        positions("input", input, input.size(0), input.size(2));
        if (gate != null) {
            positions("gate", gate, input.size(0), input.size(2));
            if (!Arrays.equals(gate.shape(), input.shape())) {
                throw new IllegalArgumentException("gate: shape " + Arrays.toString(gate.shape()) + ", must be "
                        + Arrays.toString(input.shape()) + " as the input has");
            }
        }
        resultGradients.forEach(tensor -> positions("resultGradients", tensor, input.size(0), input.size(2)));
    }

    private static void positions(String name, Tensor tensor, long batch, long length) {
        open(name, tensor);
        if (tensor.dtype() != DType.FLOAT32) {
            throw new IllegalArgumentException(name + ": type " + tensor.dtype() + ", must be FLOAT32");
        }
        if (tensor.rank() != 4 || tensor.size(0) != batch || tensor.size(2) != length) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                    + ", must be [batch, heads, length, width] with a batch of " + batch + " and a length of "
                    + length);
        }
    }

    /** Refuses a gradient that is null, closed, of another engine, not FLOAT32, or of another shape than what it is the gradient of. */
    public static void gradient(String name, Tensor gradient, Tensor of, AttentionEngine engine) {
        open(name, Objects.requireNonNull(gradient, name));
        owner(name, gradient, engine);
        if (gradient.dtype() != DType.FLOAT32) {
            throw new IllegalArgumentException(name + ": type " + gradient.dtype() + ", must be FLOAT32");
        }
        if (!Arrays.equals(gradient.shape(), of.shape())) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(gradient.shape()) + ", must be "
                    + Arrays.toString(of.shape()) + differs(gradient, of.shape()));
        }
    }

    /** Refuses a tensor on the device of another engine. */
    public static void owner(String name, Tensor tensor, AttentionEngine engine) {
        AttentionEngine owner = tensor.memory().engine();
        if (owner != null && owner != engine) {
            throw new IllegalArgumentException(name + ": Tensor" + Arrays.toString(tensor.shape()) + " on "
                    + owner.info().name() + ", must be on the host or on the layer's engine "
                    + engine.info().id());
        }
    }
}
