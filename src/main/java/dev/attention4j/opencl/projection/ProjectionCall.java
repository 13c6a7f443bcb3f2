package dev.attention4j.opencl.projection;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One input and what it is projected to: the parameters of {@code opencl/projection/project_call.clh}.
 *
 * @param dtype how input, gate and outputs are stored
 * @param input [batch, inputHeads, length, inputWidth], row-major from its offset on
 * @param gate likewise; null for none
 * @param inputHeads whose widths, one after another, are the inputs of a position
 * @param length positions of each batch row
 * @param targets at least one
 * @param tunables of the plan, for which the weights are packed
 */
public record ProjectionCall(
        DType dtype,
        Operand input,
        Operand gate,
        int batch,
        int inputHeads,
        int length,
        int inputWidth,
        List<Target> targets,
        Tunables tunables) {
    /** The projections that one launch can do. */
    static final int MOST_TARGETS = 4;

    /**
     * One projection and where its results go.
     *
     * @param weights as {@link ProjectionPlan#pack} makes them
     * @param output [batch, heads, length, width], row-major
     */
    public record Target(ClBuffer weights, ClBuffer output, int heads, int width) {
        int columns() {
            return heads * width;
        }
    }

    /** The rows of the matrix. */
    int positions() {
        return Math.multiplyExact(batch, length);
    }

    /** Rows of the weights. */
    int inputs() {
        return Math.multiplyExact(inputHeads, inputWidth);
    }

    /** STORAGE of {@code opencl/common/storage.clh}. */
    int storage() {
        return CommonMacros.storage(dtype);
    }

    /** The targets of one launch after another. */
    List<ProjectionCall> launches() {
        if (targets.size() <= MOST_TARGETS) {
            return List.of(this);
        }
        return IntStream.range(0, (targets.size() + MOST_TARGETS - 1) / MOST_TARGETS)
                .mapToObj(
                        n -> with(targets.subList(n * MOST_TARGETS, Math.min(targets.size(), (n + 1) * MOST_TARGETS))))
                .toList();
    }

    private ProjectionCall with(List<Target> some) {
        return new ProjectionCall(dtype, input, gate, batch, inputHeads, length, inputWidth, some, tunables);
    }

    /** The columns of the widest target. */
    int widest() {
        // Loops, not streams, wherever each call passes: these cost a small problem's call a tenth of its time.
        int widest = 0;
        for (Target target : targets) {
            widest = Math.max(widest, target.columns());
        }
        return widest;
    }

    /** Sets PROJECT_PARAMETERS, the kernel's first parameters. */
    ClKernel.Arguments set(ClKernel kernel) {
        Operand gates = gate == null ? input : gate;
        ClKernel.Arguments arguments = kernel.arguments()
                .buffer(input.buffer())
                .longInteger(input.offset())
                .buffer(gates.buffer())
                .longInteger(gates.offset())
                .integer(gate == null ? 0 : 1)
                .integer(positions())
                .integer(length)
                .integer(inputHeads)
                .integer(inputWidth);
        for (int n = 0; n < MOST_TARGETS; n++) {
            // A launch does as many as there are; the other parameters are the last's again, so that none is wider.
            Target target = targets.get(Math.min(n, targets.size() - 1));
            arguments
                    .buffer(target.weights())
                    .buffer(target.output())
                    .integer(target.heads())
                    .integer(target.width());
        }
        return arguments;
    }
}
