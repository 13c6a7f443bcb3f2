package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.projection.PackWeights;
import dev.attention4j.opencl.projection.ProjectionCall;
import dev.attention4j.opencl.projection.ProjectionPlan;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.training.UpdateElements;
import dev.attention4j.spi.TensorChecks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Projections on an engine's device. Inputs are read where they are, or brought there; results are tensors of the
 * engine, so that what is split, attended and merged never leaves the device.
 */
final class DeviceProjector implements Projector {
    /** Positions whose products are summed in one launch; as many as the inputs that tunables are chosen for. */
    private static final int PART = ProjectionPlan.Problem.USUAL.inputs();

    private final OpenClEngine engine;
    private final Planner.Choice<ProjectionPlan> choice;

    DeviceProjector(OpenClEngine engine, Planner.Choice<ProjectionPlan> choice) {
        this.engine = engine;
        this.choice = choice;
    }

    Variant variant() {
        return choice.variant();
    }

    /**
     * Weights on the device.
     *
     * @param packed [panels, 1 + inputs, panel], a tensor of the engine
     */
    private record DeviceProjection(Tensor packed, int inputs, int heads, int width) implements Projection {
        @Override
        public void close() {
            packed.close();
        }
    }

    @Override
    public Projection prepare(Tensor kernelWeights, Tensor bias) {
        int inputs = Math.toIntExact(kernelWeights.size(0));
        int heads = Math.toIntExact(kernelWeights.size(1));
        int width = Math.toIntExact(kernelWeights.size(2));
        if (!kernelWeights.isOnHost()) {
            return new DeviceProjection(packOnDevice(kernelWeights, bias), inputs, heads, width);
        }
        Tensor packed = ProjectionPlan.pack(kernelWeights, bias, choice.plan().panel(choice.tunables()));
        return new DeviceProjection(engine.upload(packed), inputs, heads, width);
    }

    private Tensor packOnDevice(Tensor kernel, Tensor bias) {
        engine.checkOwner("kernel", kernel);
        if (bias != null) {
            engine.checkOwner("bias", bias);
        }
        long[] shape = kernel.shape();
        long[] strides = kernel.strides();
        int panel = choice.plan().panel(choice.tunables());
        return engine.finish(engine.enqueue("packing weights", transfers -> {
            long panels = (shape[1] * shape[2] + panel - 1) / panel;
            Tensor packed = transfers.result(DType.FLOAT32, false, panels, 1 + shape[0], panel);
            PackWeights.enqueue(
                    transfers.context(),
                    new Operand(transfers.buffer(kernel), kernel.offset(), strides),
                    null,
                    bias == null ? null : transfers.rows("bias", bias, false),
                    0,
                    PackWeights.Axis.of(1, 0, shape[0], strides[0]),
                    PackWeights.Axis.of(shape[1], strides[1], shape[2], strides[2]),
                    panel,
                    transfers.buffer(packed));
            return packed;
        }));
    }

    @Override
    public List<Tensor> weightGradients(Tensor input, Tensor gate, List<Tensor> resultGradients) {
        engine.checkOpen();
        TensorChecks.weightGradients(input, gate, resultGradients);
        engine.checkOwner("input", input);
        if (gate != null) {
            engine.checkOwner("gate", gate);
        }
        resultGradients.forEach(tensor -> engine.checkOwner("resultGradients", tensor));
        Tensor rows = rowMajor(input);
        Tensor gates = gate == null ? null : rowMajor(gate);
        List<Tensor> byResults =
                resultGradients.stream().map(DeviceProjector::rowMajor).toList();
        return engine.finish(engine.enqueue(
                "gradients of weights", transfers -> weightGradients(transfers, rows, gates, byResults)));
    }

    /**
     * Enqueues, for a part of the positions after another, the product of the transposed input, under a row of ones, and the
     * gradients of results; all but the first part's are added to those before.
     */
    private List<Tensor> weightGradients(Transfers transfers, Tensor input, Tensor gate, List<Tensor> byResults) {
        long[] shape = input.shape();
        int positions = Math.toIntExact(shape[0] * shape[2]);
        int inputs = Math.toIntExact(shape[1] * shape[3]);
        int most = Math.min(positions, PART);
        int panel = choice.plan().panel(choice.tunables());
        Operand from = transfers.rows("input", input, false);
        Operand gateFrom = gate == null ? null : transfers.rows("gate", gate, false);
        ClBuffer transposed = transfers.scratch(4L * (1 + inputs) * most);
        List<Tensor> results = new ArrayList<>();
        List<Operand> operands = new ArrayList<>();
        List<ProjectionCall.Target> first = new ArrayList<>();
        List<ProjectionCall.Target> later = new ArrayList<>();
        for (Tensor byResult : byResults) {
            int columns = Math.toIntExact(byResult.size(1) * byResult.size(3));
            Tensor result = transfers.result(DType.FLOAT32, false, 1 + inputs, columns);
            long panels = (columns + panel - 1L) / panel;
            ClBuffer packed = transfers.scratch(4 * panels * (1 + most) * panel);
            results.add(result);
            operands.add(transfers.rows("result gradient", byResult, false));
            first.add(new ProjectionCall.Target(packed, transfers.buffer(result), 1, columns));
            ClBuffer added = positions > most ? transfers.scratch(result.byteSize()) : null;
            later.add(new ProjectionCall.Target(packed, added, 1, columns));
        }
        int at = 0;
        do {
            int count = Math.min(most, positions - at);
            PackWeights.Axis part = PackWeights.Axis.positions(shape, from, at, count);
            PackWeights.enqueue(
                    transfers.context(),
                    from,
                    gateFrom,
                    null,
                    1,
                    PackWeights.Axis.elements(shape, from),
                    part,
                    Math.max(1, count),
                    transposed);
            for (int n = 0; n < byResults.size(); n++) {
                long[] of = byResults.get(n).shape();
                PackWeights.enqueue(
                        transfers.context(),
                        operands.get(n),
                        null,
                        null,
                        0,
                        PackWeights.Axis.positions(of, operands.get(n), at, count),
                        PackWeights.Axis.elements(of, operands.get(n)),
                        panel,
                        first.get(n).weights());
            }
            choice.plan()
                    .enqueue(new ProjectionCall(
                            DType.FLOAT32,
                            new Operand(transposed, 0),
                            null,
                            1,
                            1,
                            1 + inputs,
                            count,
                            at == 0 ? first : later,
                            choice.tunables()));
            for (int n = 0; n < results.size() && at > 0; n++) {
                UpdateElements.enqueue(
                        transfers.context(),
                        TensorUpdates.Update.ADD,
                        results.get(n).elementCount(),
                        new Operand(first.get(n).output(), 0),
                        new Operand(later.get(n).output(), 0),
                        null,
                        null);
            }
            at += count;
        } while (at < positions);
        return results;
    }

    @Override
    public List<Tensor> toHeads(Tensor input, List<Projection> projections) {
        Source source = new Source(input.dtype(), size(input, 0), 1, size(input, 1), size(input, 2));
        return project("a projection into heads", source, "input", input, null, projections);
    }

    @Override
    public Tensor fromHeads(Tensor heads, Tensor gate, Projection projection) {
        Source source = new Source(heads.dtype(), size(heads, 0), size(heads, 1), size(heads, 2), size(heads, 3));
        if (gate != null && (gate.dtype() != heads.dtype() || !Arrays.equals(gate.shape(), heads.shape()))) {
            throw new IllegalArgumentException("gate: " + gate + ", must be as heads, " + heads);
        }
        Tensor merged = project("a projection of heads", source, "heads", heads, gate, List.of(projection))
                .get(0);
        return merged.reshape(merged.size(0), merged.size(2), merged.size(3));
    }

    /** The sizes of an input: [batch, heads, length, width], with one head where there are none yet. */
    private record Source(DType dtype, int batch, int heads, int length, int width) {
        /** Refuses a type that kernels do not read. */
        Source {
            dtype.checkAttentionStorage("input");
        }
    }

    private List<Tensor> project(
            String what, Source source, String name, Tensor input, Tensor gate, List<Projection> projections) {
        engine.checkOwner(name, input);
        Tensor rows = rowMajor(input);
        Tensor gates = gate == null ? null : rowMajor(gate);
        if (gates != null) {
            engine.checkOwner("gate", gates);
        }
        List<DeviceProjection> all = new ArrayList<>(projections.size());
        for (Projection projection : projections) {
            all.add(checked(projection, source.heads * source.width, input));
        }
        return engine.finish(engine.enqueue(what, transfers -> {
            List<Tensor> results = new ArrayList<>(all.size());
            for (DeviceProjection one : all) {
                results.add(transfers.result(source.dtype, false, source.batch, one.heads, source.length, one.width));
            }
            Operand from = transfers.rows(name, rows, false);
            Operand gateFrom = gates == null ? null : transfers.rows("gate", gates, false);
            choice.plan()
                    .enqueue(new ProjectionCall(
                            source.dtype,
                            from,
                            gateFrom,
                            source.batch,
                            source.heads,
                            source.length,
                            source.width,
                            targets(all, results, transfers),
                            choice.tunables()));
            return results;
        }));
    }

    private static List<ProjectionCall.Target> targets(
            List<DeviceProjection> projections, List<Tensor> results, Transfers transfers) {
        List<ProjectionCall.Target> targets = new ArrayList<>(projections.size());
        for (int n = 0; n < projections.size(); n++) {
            DeviceProjection one = projections.get(n);
            ClBuffer weights = transfers.buffer(one.packed);
            ClBuffer output = transfers.buffer(results.get(n));
            targets.add(new ProjectionCall.Target(weights, output, one.heads, one.width));
        }
        return targets;
    }

    private static Tensor rowMajor(Tensor tensor) {
        return tensor.isContiguous() ? tensor : tensor.contiguous();
    }

    private DeviceProjection checked(Projection projection, int inputs, Tensor tensor) {
        engine.checkOpen();
        DeviceProjection own = (DeviceProjection) projection;
        engine.checkOwner("projection", own.packed);
        if (own.packed.isClosed()) {
            throw new IllegalStateException("projection: is closed, must be open");
        }
        if (own.inputs != inputs) {
            throw new IllegalArgumentException("projection: has " + own.inputs + " inputs, must have " + inputs
                    + " for the shape " + Arrays.toString(tensor.shape()));
        }
        return own;
    }

    private static int size(Tensor tensor, int axis) {
        return Math.toIntExact(tensor.size(axis));
    }
}
