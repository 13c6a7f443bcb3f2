package dev.attention4j.bench.peer;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;

/** PyTorch 2.7 through DJL: PyTorch's own build, with MKL. */
public final class DjlTorch implements TorchRuntime {
    private static final String ENGINE = "PyTorch";

    private final Map<String, Model> models = new HashMap<>();
    private final Engine engine;
    private final NDManager manager;

    /**
     * Loads PyTorch.
     *
     * @param threads how many one call may use; once per JVM, later numbers are not heeded
     */
    public DjlTorch(int threads) {
        // Read once, when the engine is loaded. Nothing is ever fetched: everything is on the class path.
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
        System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
        engine = Engine.getEngine(ENGINE);
        manager = engine.newBaseManager(Device.cpu());
    }

    @Override
    public String name() {
        return Peers.PYTORCH_2_7;
    }

    @Override
    public String builtWith() {
        return "PyTorch " + engine.getVersion() + " with " + String.join(", ", new TreeSet<>(JniUtils.getFeatures()))
                + "; " + JniUtils.getNumThreads() + " threads";
    }

    @Override
    public Contender.Call call(String name, Supplier<byte[]> module, List<Tensor> inputs) {
        return new ModuleCall(block(name, module), manager.newSubManager(), inputs);
    }

    @Override
    public Contender.Call gradients(
            String name,
            Supplier<byte[]> module,
            List<Tensor> inputs,
            int wanted,
            Tensor outputGradient,
            boolean isForward) {
        Block backward = block("gradients " + wanted, () -> TorchModule.gradients(wanted));
        return new GradientsCall(
                block(name, module), backward, manager.newSubManager(), inputs, wanted, outputGradient, isForward);
    }

    /** Returns a module under its name; it is loaded once. */
    public Block block(String name, Supplier<byte[]> module) {
        return models.computeIfAbsent(name, absent -> load(module.get())).getBlock();
    }

    /** Returns a manager of arrays; closing it frees them. */
    public NDManager newManager() {
        return manager.newSubManager();
    }

    private static Model load(byte[] module) {
        Model model = Model.newInstance("attention", Device.cpu(), ENGINE);
        try {
            model.load(new ByteArrayInputStream(module));
            return model;
        } catch (IOException e) {
            model.close();
            throw new UncheckedIOException(e);
        } catch (MalformedModelException e) {
            model.close();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        models.values().forEach(Model::close);
        manager.close();
    }

    private static class ModuleCall implements Contender.Call {
        final NDManager manager;
        final Block block;
        final ParameterStore parameters;
        final NDList inputs;
        private NDList output;

        ModuleCall(Block block, NDManager manager, List<Tensor> tensors) {
            this.manager = manager;
            this.block = block;
            parameters = new ParameterStore(manager, false);
            inputs = new NDList();
            tensors.forEach(tensor -> inputs.add(array(tensor)));
        }

        final NDArray array(Tensor tensor) {
            DataType type = tensor.dtype() == DType.BOOL ? DataType.BOOLEAN : DataType.FLOAT32;
            return manager.create(tensor.bytes(), new Shape(tensor.shape()), type);
        }

        @Override
        public void run() {
            if (output != null) {
                output.close();
            }
            output = compute();
        }

        NDList compute() {
            return block.forward(parameters, inputs, false);
        }

        @Override
        public final float[] output() {
            FloatBuffer numbers = FloatBuffer.allocate(
                    Math.toIntExact(output.stream().mapToLong(NDArray::size).sum()));
            output.forEach(tensor -> numbers.put(tensor.toFloatArray()));
            return numbers.array();
        }

        @Override
        public void close() {
            manager.close();
        }
    }

    private static final class GradientsCall extends ModuleCall {
        private final Block backward;
        private final boolean isForward;
        /** Of the backward module; the first is the output, with the graph that gave it. */
        private final NDList arguments = new NDList();

        GradientsCall(
                Block forward,
                Block backward,
                NDManager manager,
                List<Tensor> tensors,
                int wanted,
                Tensor outputGradient,
                boolean isForward) {
            super(forward, manager, tensors);
            this.backward = backward;
            this.isForward = isForward;
            List<NDArray> leaves = inputs.subList(0, wanted);
            leaves.forEach(leaf -> leaf.setRequiresGradient(true));
            arguments.add(forward());
            arguments.add(array(outputGradient));
            arguments.addAll(leaves);
        }

        private NDArray forward() {
            boolean before = JniUtils.isGradMode();
            JniUtils.setGradMode(true);
            try {
                return block.forward(parameters, inputs, true).singletonOrThrow();
            } finally {
                JniUtils.setGradMode(before);
            }
        }

        @Override
        NDList compute() {
            if (isForward) {
                arguments.set(0, forward()).close();
            }
            return backward.forward(parameters, arguments, true);
        }
    }
}
