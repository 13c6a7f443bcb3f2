package dev.attention4j.opencl;

import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.cache.Append;
import dev.attention4j.opencl.cache.RotateHeads;
import dev.attention4j.opencl.fused.MergeSplits;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.PartialResults;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/** Rows of tensors on their way within a device: written to other tensors, merged, turned. */
final class DeviceRows {
    private final OpenClEngine engine;
    private final DeviceContext context;

    /** Works for one engine. */
    DeviceRows(OpenClEngine engine, DeviceContext context) {
        this.engine = engine;
        this.context = context;
    }

    /** Writes rows, and makes a call that reads them before it waits for them. */
    AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then) {
        engine.checkOpen();
        TensorChecks.scatter(targets, sources, copies);
        for (Tensor target : targets) {
            if (target.memory().engine() != engine) {
                throw new IllegalArgumentException("targets: " + target + ", must be on this engine, "
                        + engine.info().name() + ": upload or zeros makes such");
            }
        }
        sources.forEach(source -> engine.checkOwner("sources", source));
        int heads = (int) targets.get(0).size(1);
        if (heads == 0 || copies.stream().allMatch(copy -> copy.count() == 0)) {
            return then.get();
        }
        OpenClEngine.Pending<Void> pending = engine.enqueue("writing rows", transfers -> {
            Append.Rows first = rows(transfers, targets.get(0), sources.get(0));
            Append.Rows second = targets.size() == 1 ? null : rows(transfers, targets.get(1), sources.get(1));
            Append.enqueue(context, first, second, transfers.integers(Append.table(copies)), copies, heads);
            return null;
        });
        return finish(pending, then);
    }

    /** Makes a call, and waits for the one enqueued before it. */
    private AttentionResult finish(OpenClEngine.Pending<?> pending, Supplier<AttentionResult> then) {
        AttentionResult result;
        try {
            result = then.get();
        } catch (RuntimeException | Error e) {
            Transfers.settle(() -> engine.finish(pending), e);
            throw e;
        }
        try {
            engine.finish(pending);
        } catch (RuntimeException e) {
            if (result != null) {
                result.close();
            }
            throw e;
        }
        return result;
    }

    AttentionResult merge(List<AttentionResult> parts) {
        engine.checkOpen();
        PartialResults.check(parts);
        parts.forEach(part -> engine.checkOwner("parts", part.output()));
        parts.forEach(part -> engine.checkOwner("parts", part.logSumExp()));
        return engine.finish(engine.enqueue("merging", transfers -> merge(parts, transfers)));
    }

    /** Brings the parts into one block of floats, and merges that. */
    private AttentionResult merge(List<AttentionResult> parts, Transfers transfers) {
        Tensor first = parts.get(0).output();
        long[] shape = first.shape();
        long[] rowsShape = Arrays.copyOf(shape, 3);
        int queries = (int) shape[2];
        int width = (int) shape[3];
        long rows = shape[0] * shape[1] * queries;
        AttentionResult result = new AttentionResult(
                transfers.result(first.dtype(), first.isOnHost(), shape),
                null,
                transfers.result(DType.FLOAT32, first.isOnHost(), rowsShape),
                PartialResults.PLAN);
        if (rows == 0) {
            return result;
        }
        List<RowCopy> everything = IntStream.range(0, (int) shape[0])
                .mapToObj(batch -> new RowCopy(batch, 0, batch, 0, queries))
                .toList();
        ClBuffer table = transfers.integers(Append.table(everything));
        ClBuffer outputs = transfers.scratch(4L * parts.size() * rows * width);
        ClBuffer logSumExps = transfers.scratch(4L * parts.size() * rows);
        for (int n = 0; n < parts.size(); n++) {
            Append.enqueue(
                    context,
                    copy(transfers, parts.get(n).output(), outputs, n * rows * width),
                    copy(transfers, column(parts.get(n).logSumExp()), logSumExps, n * rows),
                    table,
                    everything,
                    (int) shape[1]);
        }
        new MergeSplits(context)
                .enqueue(
                        new MergeSplits.Partial(outputs, logSumExps, parts.size(), rows, width),
                        true,
                        first.dtype(),
                        transfers.target("output", result.output(), first.dtype(), 0, rows * width),
                        transfers.target("log-sum-exp", result.logSumExp(), DType.FLOAT32, 0, rows));
        return result;
    }

    /** Returns a tensor [batch, heads, rows] with a last axis of size 1. */
    private static Tensor column(Tensor tensor) {
        return tensor.broadcast(1, tensor.size(0), tensor.size(1), tensor.size(2))
                .permute(1, 2, 3, 0);
    }

    /** Returns a copy of a tensor as floats, row-major, from an element of a buffer on. */
    private static Append.Rows copy(Transfers transfers, Tensor tensor, ClBuffer to, long firstElement) {
        long rows = tensor.size(2);
        long width = tensor.size(3);
        return new Append.Rows(
                transfers.rows("parts", tensor, false),
                tensor.dtype(),
                new Operand(to, firstElement, new long[] {tensor.size(1) * rows * width, rows * width, width, 1}),
                DType.FLOAT32,
                (int) width);
    }

    private static Append.Rows rows(Transfers transfers, Tensor target, Tensor source) {
        return new Append.Rows(
                transfers.rows("sources", source, false),
                source.dtype(),
                transfers.rows("targets", target, false),
                target.dtype(),
                (int) target.size(3));
    }

    Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions) {
        check(heads, rotary, positions);
        return engine.finish(enqueue(heads, rotary, positions, heads.dtype(), DeviceTensors.belongOnHost(heads)));
    }

    AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then) {
        check(heads, rotary, positions);
        turnedType.checkAttentionStorage("turnedType");
        OpenClEngine.Pending<Tensor> pending = enqueue(heads, rotary, positions, turnedType, false);
        try (Tensor turned = pending.result()) {
            if (DeviceTensors.belongOnHost(heads)) {
                ((DeviceTensors.Memory) turned.memory()).standForHost();
            }
            return finish(pending, () -> then.apply(turned));
        }
    }

    private void check(Tensor heads, RotaryEmbedding rotary, int... positions) {
        engine.checkOpen();
        TensorChecks.rotate(heads, rotary, positions);
        engine.checkOwner("heads", heads);
        engine.checkOwner("rotary", rotary.cosines());
        engine.checkOwner("rotary", rotary.sines());
    }

    private OpenClEngine.Pending<Tensor> enqueue(
            Tensor heads, RotaryEmbedding rotary, int[] positions, DType turnedType, boolean onHost) {
        boolean everyRow = positions.length != heads.size(0);
        int following = everyRow ? 0 : (int) Math.max(0, heads.size(2) - 1);
        int least = Arrays.stream(positions).min().orElse(0);
        return engine.enqueue("rotation", transfers -> {
            Tensor turned = transfers.result(turnedType, onHost, heads.shape());
            if (turned.elementCount() > 0) {
                RotateHeads.enqueue(
                        context,
                        new RotateHeads.Heads(
                                transfers.rows("heads", heads, false),
                                heads.dtype(),
                                transfers.target("turned", turned, turnedType, 0, turned.elementCount()),
                                turnedType,
                                (int) heads.size(0),
                                (int) heads.size(1),
                                (int) heads.size(2),
                                (int) heads.size(3)),
                        tables(
                                transfers,
                                rotary,
                                least,
                                following + Arrays.stream(positions).max().orElse(0)),
                        transfers.integers(Arrays.stream(positions)
                                .map(position -> position - least)
                                .toArray()),
                        everyRow);
            }
            return turned;
        });
    }

    /** The angles of positions from the first to the last, which are all that travels of tables on the host. */
    private static RotateHeads.Tables tables(Transfers transfers, RotaryEmbedding rotary, int first, int last) {
        UnaryOperator<Tensor> part =
                table -> table.slice(0, first, last + 1L).broadcast(1, 1, last + 1L - first, table.size(1));
        return new RotateHeads.Tables(
                transfers.rows("rotary", part.apply(rotary.cosines()), false),
                transfers.rows("rotary", part.apply(rotary.sines()), false),
                rotary.rotaryDim() / 2,
                rotary.isInterleaved());
    }
}
