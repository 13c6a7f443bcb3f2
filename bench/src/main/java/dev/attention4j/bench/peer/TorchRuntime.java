package dev.attention4j.bench.peer;

import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import java.util.List;
import java.util.function.Supplier;

/** A PyTorch on the CPU: loads scripted modules and calls them on host memory as it lies. */
interface TorchRuntime extends AutoCloseable {
    /** The name of this version in tables and files. */
    String name();

    /** The version, and the libraries it was built with; one line. */
    String builtWith();

    /**
     * Prepares a call.
     *
     * @param name of the module, under which it is loaded once
     * @param module makes the bytes of a .pt file whose {@code forward} gives one tensor
     * @param inputs of {@code forward}; stay as they are until the call is closed
     */
    Contender.Call call(String name, Supplier<byte[]> module, List<Tensor> inputs);

    /**
     * Prepares a call that gives gradients, by autograd: those of the first {@code wanted} inputs, one after another.
     *
     * @param inputs of {@code forward}, which gives the tensor
     * @param outputGradient of the tensor's shape
     * @param isForward whether each run computes the tensor too, as a step of a training does; else the first alone does
     */
    Contender.Call gradients(
            String name,
            Supplier<byte[]> module,
            List<Tensor> inputs,
            int wanted,
            Tensor outputGradient,
            boolean isForward);

    @Override
    void close();
}
