package dev.attention4j.opencl;

import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClEvent;
import java.lang.ref.Reference;
import java.util.List;

/**
 * A call that is enqueued: its result, once the device is done, and what must live until then.
 *
 * @param <T> what a call gives
 * @param done complete when the last command is
 * @param result whose memory the device is still writing
 * @param tensors of the result, to be closed if the device fails
 * @param shared buffers over the host's memory, to be closed
 * @param alive host memory that the device still reads, kept from the garbage collector
 * @param settle waits for the device in another way, where waiting for the event failed
 */
record PendingCall<T>(
        ClEvent done, T result, List<Tensor> tensors, List<ClBuffer> shared, List<Object> alive, Runnable settle) {
    /** Waits for the device, frees what was held for it, and gives the result. */
    T finish() {
        try {
            done.await();
        } catch (RuntimeException e) {
            settle(settle, e);
            tensors.forEach(Tensor::close);
            throw e;
        } finally {
            done.close();
            shared.forEach(ClBuffer::close);
            Reference.reachabilityFence(alive);
        }
        return result;
    }

    /** After a failure: the device must be done with memory before anybody else gets it. */
    static void settle(Runnable waiting, Throwable failure) {
        try {
            waiting.run();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }
}
