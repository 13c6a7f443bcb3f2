package dev.attention4j;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Computes attention in one place: an OpenCL device, or the CPU.
 *
 * <p>An engine is opened once, used for many calls, from many threads, and closed; closing it closes the tensors it
 * holds on its device. The same call on the same engine gives the same bits each time.
 *
 * <p>OpenCL devices may flush subnormal floats, below 1.18e-38, to 0, in tensors and in intermediate results. The
 * subnormal numbers of float16 are far above and are kept.
 */
public interface AttentionEngine extends AutoCloseable {
    /**
     * Opens the best engine of this machine: a GPU, else another OpenCL device, else the CPU. Where OpenCL cannot be
     * used, a warning is logged with the cause and the fix.
     */
    static AttentionEngine open() {
        return Engines.open(Engines.BEST, EngineOptions.DEFAULT);
    }

    /**
     * Opens the engine that a text names.
     *
     * @param device {@code best}; {@code gpu}, an OpenCL GPU and nothing else; the id of an engine ({@code opencl:0};
     *     {@code cpu}, plain Java; {@code oracle}), its index in {@link Engines#list()} as the command line prints it,
     *     or part of a device's name, upper or lower case
     * @throws IllegalArgumentException if nothing, or more than one device, is named by it
     */
    static AttentionEngine open(String device) {
        return Engines.open(device, EngineOptions.DEFAULT);
    }

    /**
     * Opens the engine that a text names.
     *
     * @param device as for {@link #open(String)}
     * @param options plan, threads and the like
     * @throws IllegalArgumentException if nothing, or more than one device, is named, or the engine has no such plan
     */
    static AttentionEngine open(String device, EngineOptions options) {
        return Engines.open(device, options);
    }

    /** {@return this engine's entry in {@link Engines#list()}} */
    EngineInfo info();

    /**
     * {@return the names of this engine's plans, at least one; {@link EngineOptions#withPlan} takes one of them}
     */
    List<String> plans();

    /**
     * Returns the plan for a problem with all tensors on the host, and why; printed, it is one line.
     *
     * @throws IllegalStateException if this engine is closed
     */
    PlanChoice explain(AttentionProblem problem);

    /**
     * Returns the plan for a call of {@link #attend(Tensor, Tensor, Tensor, Attention)}, and why, without computing it.
     *
     * @throws IllegalArgumentException as {@link #attend(Tensor, Tensor, Tensor, Attention)}
     * @throws IllegalStateException if this engine or a tensor is closed
     */
    PlanChoice explain(Tensor query, Tensor key, Tensor value, Attention attention);

    /**
     * Computes a problem twice, on zeros, so that the first real call of its kind does not wait: kernels are built, or
     * read from the cache, memory is allocated, and Java's compiler has seen the engine's code. It takes as long as two
     * first calls, because the second still does work that is done once. Kernels serve all problems of a plan and storage
     * types, or all of a few widths, so one problem of each kind that a program computes is enough.
     *
     * @param problem shapes, storage types and operation
     * @throws IllegalArgumentException if its tensors are too large for host memory
     * @throws IllegalStateException if this engine is closed
     * @throws DeviceException if the device fails
     */
    default void warmUp(AttentionProblem problem) {
        Tensor query = Tensor.zeros(
                problem.dtype(), problem.batch(), problem.queryHeads(), problem.queryLength(), problem.headDim());
        long[] rows = PageTables.keyShape(problem);
        Tensor key = Tensor.zeros(problem.storage().key(), rows[0], rows[1], rows[2], problem.headDim());
        Tensor value = Tensor.zeros(problem.storage().value(), rows[0], rows[1], rows[2], problem.valueDim());
        for (int call = 0; call < 2; call++) {
            attend(query, key, value, problem.attention()).close();
        }
    }

    /**
     * Probes the device's capabilities by running small kernels on it; takes a moment.
     *
     * @return name → finding, in the order to print; empty for the engines that compute in Java
     */
    default Map<String, Object> probe() {
        return Map.of();
    }

    /**
     * Computes plain attention, as {@link #attend(Tensor, Tensor, Tensor, Attention)} with {@link Attention#DEFAULT}.
     *
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     */
    default AttentionResult attend(Tensor query, Tensor key, Tensor value) {
        return attend(query, key, value, Attention.DEFAULT);
    }

    /**
     * Computes attention and waits for it. Tensors of host and device may be mixed; the result is where the query is.
     *
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param attention the operation
     * @return the result, complete
     * @throws IllegalArgumentException if shapes, types or owners do not fit; says which argument and what it must be
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    AttentionResult attend(Tensor query, Tensor key, Tensor value, Attention attention);

    /**
     * Computes attention without waiting. This call refuses bad arguments; errors of the device fail the future. Inputs must stay open and unchanged until the future is done; cancelling it does not stop the device.
     *
     * <p>Futures complete on daemon threads of this library, not on the common pool, or on
     * {@link EngineOptions#withCompletionExecutor}. Where no thread can be started this call waits for the device.
     *
     * @throws IllegalArgumentException as {@link #attend(Tensor, Tensor, Tensor, Attention)}
     * @throws IllegalStateException if this engine or a tensor is closed
     */
    CompletableFuture<AttentionResult> attendAsync(Tensor query, Tensor key, Tensor value, Attention attention);

    /**
     * Computes attention and keeps what its gradients need, as training does.
     *
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param attention the operation; the log-sum-exp need not be asked for
     * @return the result and what gives its gradients; to be closed
     * @throws IllegalArgumentException as {@link #attend(Tensor, Tensor, Tensor, Attention)}
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    default AttentionTape attendForGradients(Tensor query, Tensor key, Tensor value, Attention attention) {
        return new AttentionTape(this, query, key, value, attention);
    }

    /** Computes the gradients of query, key and value, as below with {@link GradientOptions#DEFAULT}. */
    default AttentionGradients gradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient) {
        return gradients(query, key, value, attention, result, outputGradient, GradientOptions.DEFAULT);
    }

    /**
     * Computes the gradients of a function of attention's output, and waits for them. Weights are computed again from the
     * log-sum-exp, so that memory grows with the lengths and not with their product, the gradient of a bias aside. A query
     * with no key to attend to gives and gets a gradient of 0, and what is masked changes no gradient.
     *
     * @param query [batch, queryHeads, queryLength, headDim], FLOAT32, FLOAT16 or BFLOAT16
     * @param key [batch, keyValueHeads, keyLength, headDim], one of these types, not in pages
     * @param value [batch, keyValueHeads, keyLength, valueDim], likewise
     * @param attention the operation of the call
     * @param result of the call, with its log-sum-exp ({@link AttentionBuilder#logSumExp})
     * @param outputGradient the derivative of the function by each element of the output: of the output's shape, FLOAT32 or
     *     of the output's type
     * @param options which gradients are wanted in addition, and the gradient of the log-sum-exp if it has one
     * @return FLOAT32 tensors where the query is
     * @throws IllegalArgumentException if shapes, types or owners do not fit, or there is no such gradient; says which argument
     *     and what it must be
     * @throws IllegalStateException if this engine or a tensor is closed, or the result has no log-sum-exp
     * @throws DeviceException if the device fails
     */
    AttentionGradients gradients(
            Tensor query,
            Tensor key,
            Tensor value,
            Attention attention,
            AttentionResult result,
            Tensor outputGradient,
            GradientOptions options);

    /**
     * {@return the dense projections of layers, computed where this engine computes; always the same, closed with the
     * engine}
     */
    Projector projector();

    /** {@return changes of tensors in place, where they are, as training needs them; always the same, closed with the engine} */
    TensorUpdates updates();

    /**
     * Copies a tensor to where this engine computes, so that calls on it copy nothing.
     *
     * @param tensor on the host
     * @return a row-major tensor on this engine's device (on the host for an engine that computes there)
     * @throws IllegalStateException if this engine or the tensor is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    Tensor upload(Tensor tensor);

    /**
     * Copies a tensor to the host.
     *
     * @param tensor of this engine, or on the host
     * @return a row-major copy in host memory
     * @throws IllegalArgumentException if it is on another engine's device
     * @throws IllegalStateException if this engine or the tensor is closed
     * @throws DeviceException if the device fails
     */
    Tensor download(Tensor tensor);

    /**
     * Allocates a tensor where this engine computes.
     *
     * @param dtype its type
     * @param shape its shape
     * @return a row-major tensor of zeros
     * @throws IllegalStateException if this engine is closed
     * @throws DeviceException if the device has no memory for it, or fails
     */
    Tensor zeros(DType dtype, long... shape);

    /**
     * Writes rows of tensors into others, as ONNX's TensorScatter does: row n of source[batch, head] becomes row
     * positions[batch] + n of target[batch, head] for each n below counts[batch], rounded to the target's type.
     *
     * @param targets one or two of [batch, heads, capacity, width], row-major, where this engine computes: on its device,
     *     or on the host for an engine that computes there; two have the same batch and heads
     * @param sources for each of them [batch, heads, rows, width], on the host or the device
     * @param positions for each batch row the first row that is written
     * @param counts for each batch row how many are
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    void scatter(List<Tensor> targets, List<Tensor> sources, int[] positions, int[] counts);

    /**
     * Writes rows as above, between any batch rows: several runs of rows into one, as the pages of a cache need them, or
     * from one place of a tensor to another; and makes a call that reads them before it waits for them: the device goes from
     * one to the other. No row may be written twice, or read where it is written.
     *
     * @param targets one or two of [batch, heads, capacity, width], as above
     * @param sources for each of them [any batch, heads, rows, width]; may be the targets
     * @param copies which rows go where
     * @param then a call on this engine
     * @return what the call returns; closed if writing fails
     * @throws IllegalArgumentException as above; then the call is not made
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    AttentionResult scatter(
            List<Tensor> targets, List<Tensor> sources, List<RowCopy> copies, Supplier<AttentionResult> then);

    /**
     * Merges results of the same queries over different keys into the result over all of them: a prefix that was computed
     * once, pieces of a long text, parts from other machines. Each part counts by its log-sum-exp, which must be asked for
     * ({@link AttentionBuilder#logSumExp}) and is all that has to be known of its keys. A part without keys for a row has
     * −∞ there and is left out. Sinks, if any, belong to one part only.
     *
     * <p>Where log-sum-exps are large, rounding them to float32 moves a part's weight by up to 6e-8 of their size.
     *
     * @param parts one or more, of the same shape, on the host or this engine's device; results from elsewhere are made
     *     with {@link AttentionResult#AttentionResult}
     * @return output in the first part's type, and log-sum-exp, where the first part is
     * @throws IllegalArgumentException naming the part that does not fit, what it was and what it must be
     * @throws IllegalStateException if this engine or a part is closed, or a part has no log-sum-exp
     * @throws DeviceException if the device fails
     */
    AttentionResult merge(List<AttentionResult> parts);

    /**
     * Turns the pairs of each head by the angles of its row's position.
     *
     * @param heads [batch, heads, rows, width] queries or keys, on the host or the device; the width is {@link
     *     RotaryEmbedding#rotaryDim()} or more
     * @param rotary the angles
     * @param positions for each batch row the position of its first row, which the others follow; or for each batch row of
     *     each of its rows; 0 or more
     * @return a row-major tensor of the same shape and type, where the heads are
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    Tensor rotate(Tensor heads, RotaryEmbedding rotary, int... positions);

    /**
     * Turns as {@link #rotate(Tensor, RotaryEmbedding, int...)}, and makes a call that reads the result before it waits for
     * it: the device goes from one to the other.
     *
     * @param heads [batch, heads, rows, width], as above
     * @param rotary the angles
     * @param positions as above
     * @param turnedType of the tensor that the call gets
     * @param then a call on this engine, whose results are where the heads are; it gets a tensor that is closed afterwards
     * @return what the call returns; closed if turning fails
     * @throws IllegalArgumentException as above; then the call is not made
     * @throws IllegalStateException if this engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    AttentionResult rotate(
            Tensor heads,
            RotaryEmbedding rotary,
            int[] positions,
            DType turnedType,
            Function<Tensor, AttentionResult> then);

    /** {@return true once {@link #close()} was called} */
    boolean isClosed();

    /** Waits for calls under way, then frees the device and every tensor on it; closing again does nothing. */
    @Override
    void close();
}
