package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.runtime.BufferPool;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The device memory that a call takes beside what is on the device already, buffer by buffer, as {@link Transfers}
 * makes them. What the device shares with the host counts too: there it is no less limited.
 */
final class Footprint {
    private record Buffer(String name, long bytes) {}

    private final DeviceContext context;
    private final boolean closesGaps;
    private final List<Buffer> buffers = new ArrayList<>();
    private long total;

    private Footprint(DeviceContext context, boolean closesGaps) {
        this.context = context;
        this.closesGaps = closesGaps;
    }

    /**
     * Counts what a call takes: with its tensors as they lie, or without the gaps of views where that does not fit.
     *
     * @param leastScratchBytes without which the plan cannot do it
     */
    static Footprint of(AttentionCall call, long leastScratchBytes, DeviceContext context) {
        Footprint asTheyLie = of(call, leastScratchBytes, context, false);
        return asTheyLie.fits() ? asTheyLie : of(call, leastScratchBytes, context, true);
    }

    private static Footprint of(AttentionCall call, long leastScratchBytes, DeviceContext context, boolean closesGaps) {
        AttentionProblem problem = call.problem();
        Attention attention = problem.attention();
        long rows = (long) problem.batch() * problem.queryHeads() * problem.queryLength();
        Footprint footprint = new Footprint(context, closesGaps);
        footprint.addInput("query", call.query(), call.query().dtype());
        footprint.addInput("key", call.key(), call.key().dtype());
        footprint.addInput("value", call.value(), call.value().dtype());
        attention.mask().ifPresent(mask -> footprint.addInput("mask", mask, DType.BOOL));
        attention.bias().ifPresent(bias -> footprint.addInput("bias", bias, DType.FLOAT32));
        if (KeyRanges.areNeeded(attention)) {
            footprint.addShareable("key ranges", KeyRanges.byteSize(problem));
        }
        footprint.addShareable("ALiBi slopes", 4L * attention.alibiSlopes().length);
        footprint.addShareable("sinks", 4L * attention.sinks().length);
        footprint.addShareable(
                "output", rows * problem.valueDim() * problem.dtype().bytes());
        if (attention.wantsWeights()) {
            footprint.addShareable("weights", rows * problem.keyLength() * 4);
        }
        if (attention.wantsLogSumExp()) {
            footprint.addShareable("log-sum-exp", rows * 4);
        }
        footprint.addAllocated("scratch", leastScratchBytes);
        return footprint;
    }

    private void addInput(String name, Tensor tensor, DType dtype) {
        if (tensor.isOnHost() && tensor.elementCount() > 0) {
            addShareable(
                    name,
                    tensor.dtype() == dtype
                            ? HostSpan.byteSize(tensor, context, closesGaps)
                            : tensor.elementCount() * dtype.bytes());
        }
    }

    private void addShareable(String name, long bytes) {
        if (context.sharesHostMemory()) {
            add(name, bytes);
        } else {
            addAllocated(name, bytes);
        }
    }

    private void addAllocated(String name, long bytes) {
        add(name, bytes == 0 ? 0 : context.pool().allocatedBytes(bytes));
    }

    private void add(String name, long bytes) {
        if (bytes > 0) {
            buffers.add(new Buffer(name, bytes));
            total += bytes;
        }
    }

    /** Whether views on the host that have gaps are to be copied, for the call to fit. */
    boolean closesGaps() {
        return closesGaps;
    }

    /** Whether the device has room for it now. */
    boolean fits() {
        BufferPool pool = context.pool();
        return total <= pool.capacity() - pool.bytesInUse()
                && buffers.stream().allMatch(buffer -> buffer.bytes <= largest(context));
    }

    /** The largest buffer that a call can have: host memory that a copy may need has a bound of its own. */
    private static long largest(DeviceContext context) {
        return Math.min(context.pool().largestAllocation(), Integer.MAX_VALUE);
    }

    /** What is left for scratch, if each scratch buffer may be larger than asked for. */
    long scratchRoom(long leastScratchBytes) {
        BufferPool pool = context.pool();
        long left = pool.capacity() - pool.bytesInUse() - total;
        return Math.min(pool.largestAllocation(), Math.max(leastScratchBytes, left / 5 * 4 - 512));
    }

    /** How much is needed and how much there is. */
    String shortage() {
        BufferPool pool = context.pool();
        return "needs " + total + " bytes of device memory ("
                + buffers.stream()
                        .map(buffer -> buffer.name + " " + buffer.bytes)
                        .collect(Collectors.joining(", "))
                + "), but of the " + pool.capacity() + " bytes that this engine may take of "
                + context.device().name() + " " + (pool.capacity() - pool.bytesInUse())
                + " are free, at most " + largest(context) + " for one buffer"
                + pool.advice();
    }
}
