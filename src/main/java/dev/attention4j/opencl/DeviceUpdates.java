package dev.attention4j.opencl;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.training.UpdateElements;
import dev.attention4j.spi.HostUpdates;

/** Updates of tensors on an engine's device; those of tensors on the host are computed there. */
final class DeviceUpdates implements TensorUpdates {
    private final OpenClEngine engine;

    /** Works for one engine. */
    DeviceUpdates(OpenClEngine engine) {
        this.engine = engine;
    }

    @Override
    public void update(Update update, Tensor target, Tensor source, Tensor first, Tensor second) {
        engine.checkOpen();
        HostUpdates.check(engine, update, target, source, first, second);
        if (target.isOnHost()) {
            HostUpdates.update(update, target, source == null ? null : source.contiguous(), first, second);
            return;
        }
        engine.finish(engine.<Void>enqueue("an update", transfers -> {
            UpdateElements.enqueue(
                    transfers.context(),
                    update,
                    target.elementCount(),
                    there(transfers, target),
                    there(transfers, source),
                    there(transfers, first),
                    there(transfers, second));
            return null;
        }));
    }

    @Override
    public double sumOfSquares(Tensor tensor) {
        engine.checkOpen();
        HostUpdates.check(engine, "tensor", tensor);
        if (tensor.isOnHost()) {
            return HostUpdates.sumOfSquares(tensor);
        }
        int count = UpdateElements.sums(engine.context().device(), tensor.elementCount());
        try (Tensor sums = engine.finish(engine.enqueue("a sum of squares", transfers -> {
            Tensor result = transfers.result(DType.FLOAT32, true, count);
            UpdateElements.enqueueSquares(
                    transfers.context(),
                    tensor.elementCount(),
                    there(transfers, tensor),
                    transfers.target("sums", result, DType.FLOAT32, 0, count));
            return result;
        }))) {
            double sum = 0;
            for (float part : sums.toFloatArray()) {
                sum += part;
            }
            return sum;
        }
    }

    /** Returns a row-major tensor as a row; null for null. */
    private static Operand there(Transfers transfers, Tensor tensor) {
        return tensor == null ? null : transfers.rows("tensor", tensor.reshape(tensor.elementCount()), false);
    }
}
