package dev.attention4j.opencl.fused;

import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.opencl.plan.CommonMacros;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.BufferPool;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.spi.HiddenBlocks;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Launches {@code opencl/fused/mask_blocks.cl}: finds the blocks of keys that no query of a tile attends to, and those that all
 * attend to. The device's pool of buffers keeps tables whose mask cannot change.
 */
final class MaskBlocks {
    private static final int BLOCKS_OF_BYTE = 4;
    private static final int GPU_GROUP_ITEMS = 64;

    private final DeviceContext context;
    private final Map<Build, ClKernel> kernels = new HashMap<>();

    MaskBlocks(DeviceContext context) {
        this.context = context;
    }

    /** The key of a built kernel; masks without an expression share one. */
    private record Build(boolean masked, String expressions, boolean rowsOfHeads, int items) {
        Build withItems(int count) {
            return new Build(masked, expressions, rowsOfHeads, count);
        }
    }

    /**
     * The sizes of a table.
     *
     * @param unitHeads heads whose rows are computed together
     * @param tileRows query rows of a tile
     * @param blockKeys keys of a block
     */
    record Shape(int unitHeads, int tileRows, int blockKeys) {
        long pairs(Workload problem) {
            return (long) unitHeads * problem.queryLength() * problem.keyLength();
        }

        private int rowTiles(Workload problem) {
            return (int) (((long) unitHeads * problem.queryLength() + tileRows - 1) / tileRows);
        }

        /** The bytes of a tile of rows. */
        private int pitch(Workload problem) {
            int perByte = BLOCKS_OF_BYTE * blockKeys;
            return (problem.keyLength() + perByte - 1) / perByte;
        }
    }

    /**
     * A table on the device; see {@code opencl/fused/block_table.clh}.
     *
     * @param pitch 0 for no table
     */
    record Table(ClBuffer buffer, long batchStride, long unitStride, int pitch) {
        /** Sets BLOCK_TABLE_PARAMETERS. */
        ClKernel.Arguments addTo(ClKernel.Arguments arguments) {
            return arguments
                    .buffer(buffer)
                    .longInteger(batchStride)
                    .longInteger(unitStride)
                    .integer(pitch);
        }
    }

    /** Returns no table, for a call without a mask, or one for which finding it takes longer than it saves. */
    static Table none(DeviceCall call) {
        return new Table(call.output(), 0, 0, 0);
    }

    /**
     * Returns the table of a call, kept or found by a kernel that is enqueued; {@link #none} if there is no room for it, which changes
     * no bit of a result. The caller enqueues what reads it before it asks for any other memory.
     *
     * @param hidden of the call's problem
     * @param room the bytes that it may take
     */
    Table of(DeviceCall call, HiddenBlocks hidden, Shape shape, long room) {
        Workload problem = call.workload();
        int pitch = shape.pitch(problem);
        long ofUnit = (long) pitch * shape.rowTiles(problem);
        int units = hidden.differByHead() ? problem.queryHeads() / shape.unitHeads : 1;
        int batches = hidden.differByBatchRow() ? problem.batch() : 1;
        long bytes = ofUnit * units * batches;
        BufferPool pool = context.pool();
        if (pitch == 0 || bytes > Math.min(Integer.MAX_VALUE, Math.min(room, pool.largestAllocation()))) {
            return none(call);
        }
        Optional<Object> key = hidden.key().map(contents -> List.of(contents, shape));
        ClBuffer buffer = key.map(pool::kept).orElse(null);
        if (buffer == null && (key.isEmpty() || !pool.keeps(bytes))) {
            buffer = call.scratch().apply(bytes);
            enqueue(call, shape, buffer, units, batches);
        } else if (buffer == null) {
            buffer = pool.acquire(bytes);
            try {
                enqueue(call, shape, buffer, units, batches);
            } catch (RuntimeException | Error e) {
                pool.release(buffer);
                throw e;
            }
            pool.keep(key.get(), buffer);
        }
        return new Table(buffer, batches == 1 ? 0 : ofUnit * units, units == 1 ? 0 : ofUnit, pitch);
    }

    private void enqueue(DeviceCall call, Shape shape, ClBuffer table, int units, int batches) {
        Workload problem = call.workload();
        Expressions expressions = call.expressions();
        String signature = expressions.mask() ? problem.expressions() : "";
        boolean rowsOfHeads = expressions.mask() && shape.unitHeads > 1;
        int items = context.device().isCpuClass()
                ? 1
                : Math.min(GPU_GROUP_ITEMS, context.device().maxWorkGroupSize());
        Build build = new Build(call.mask() != null, signature, rowsOfHeads, items);
        ClKernel kernel = kernel(build, expressions);
        while (kernel.largestGroup() < items) {
            items /= 2;
            kernel = kernel(build.withItems(items), expressions);
        }
        ClKernel.Arguments arguments = expressions.mask()
                ? call.argumentsOfScores(kernel, shape.unitHeads)
                : call.arguments(kernel, shape.unitHeads);
        arguments.buffer(table).integer(units).integer(shape.tileRows).integer(shape.blockKeys);
        long[] global = {(long) shape.pitch(problem) * items, shape.rowTiles(problem), (long) units * batches};
        context.queue().launch(kernel, global, new long[] {items, 1, 1});
    }

    private ClKernel kernel(Build build, Expressions expressions) {
        return kernels.computeIfAbsent(build, unknown -> {
            int width = CommonMacros.vectorWidth(context.device());
            Map<String, Object> defines = new HashMap<>();
            // One build whatever the tensors are, of which it reads none.
            CommonMacros.define(StorageTypes.of(DType.FLOAT32), false, defines);
            defines.put("VECTOR_WIDTH", width);
            defines.put("GROUP_ITEMS", build.items);
            if (build.masked) {
                defines.put("MASKED", 1);
            }
            String function = "";
            if (!build.expressions.isEmpty()) {
                CommonMacros.maskExpression(build.rowsOfHeads, defines);
                function = expressions.openClTextOfMask(width, CommonMacros.vectorsOfRows(build.rowsOfHeads));
            }
            return context.kernel("fused/mask_blocks.cl", "mask_blocks", defines, function);
        });
    }
}
