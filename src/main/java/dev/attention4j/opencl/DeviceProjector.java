package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Projector;
import dev.attention4j.Projector.Projection;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.projection.ProjectionCall;
import dev.attention4j.opencl.projection.ProjectionPlan;
import dev.attention4j.opencl.runtime.ClBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Projections on an engine's device. Inputs are read where they are, or brought there; results are tensors of the
 * engine, so that what is split, attended and merged never leaves the device.
 */
final class DeviceProjector implements Projector {
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
        Tensor packed = ProjectionPlan.pack(kernelWeights, bias, choice.plan().panel(choice.tunables()));
        return new DeviceProjection(engine.upload(packed), inputs, heads, width);
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
