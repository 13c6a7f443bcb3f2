package dev.attention4j.bench.peer;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Contender;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * PyTorch 2.10 through JavaCPP: a build with OpenBLAS. It needs a JVM of its own: its libraries have the names of {@link
 * DjlTorch}'s, and the loader takes whichever came first for both.
 */
final class JavaCppTorch implements TorchRuntime {
    /** What of PyTorch's own account of its build tells how it computes. */
    private static final List<String> SETTINGS =
            List.of("BLAS_INFO=", "TORCH_VERSION=", "USE_MKL=", "USE_MKLDNN=", "USE_OPENMP=");

    private final Map<String, JitModule> modules = new HashMap<>();
    private final InferenceMode inference;
    private final String builtWith;

    /**
     * Loads PyTorch.
     *
     * @param blasThreads how many a matrix product may use. In attention PyTorch's own threads each compute products, and
     *     OpenBLAS's threads would only be in their way: 1 is four times as fast there
     */
    JavaCppTorch(int threads, int blasThreads) {
        torch.set_num_threads(threads);
        openblas_nolapack.blas_set_num_threads(blasThreads);
        // Of this thread alone, which makes all calls.
        inference = new InferenceMode();
        builtWith = account() + "; OpenBLAS kernel " + openBlasKernel() + ", " + blasThreads + " of " + threads
                + " threads within a product";
    }

    private static String account() {
        Stream<String> built = torch.show_config().getString().lines().flatMap(JavaCppTorch::settings);
        Stream<String> parallel =
                torch.get_parallel_info().getString().lines().filter(line -> line.startsWith("ATen parallel"));
        return Stream.concat(built, parallel).collect(Collectors.joining("; "));
    }

    /** A line of its account; of the long one with all settings, those that matter. */
    private static Stream<String> settings(String line) {
        String text = line.strip().replaceFirst("^- ", "");
        return text.startsWith("Build settings:")
                ? Stream.of(text.substring(text.indexOf(':') + 1).split(","))
                        .map(String::strip)
                        .filter(setting -> SETTINGS.stream().anyMatch(setting::startsWith))
                : Stream.of(text.endsWith(":") ? text.substring(0, text.length() - 1) : text);
    }

    /** The processor whose kernels OpenBLAS takes; JavaCPP does not have this function. */
    private static String openBlasKernel() {
        String folder = new File(Loader.load(openblas_nolapack.class)).getParent();
        Function name = NativeLibrary.getInstance(new File(folder, "libopenblas.so.0").getPath())
                .getFunction("openblas_get_corename");
        return name.invokeString(new Object[0], false);
    }

    @Override
    public String name() {
        return Peers.PYTORCH_2_10;
    }

    @Override
    public String builtWith() {
        return builtWith;
    }

    @Override
    public Contender.Call call(String name, Supplier<byte[]> module, List<Tensor> inputs) {
        return new ModuleCall(modules.computeIfAbsent(name, absent -> load(module.get())), inputs);
    }

    @Override
    public Contender.Call gradients(
            String name,
            Supplier<byte[]> module,
            List<Tensor> inputs,
            int wanted,
            Tensor outputGradient,
            boolean isForward) {
        throw new UnsupportedOperationException("gradients are compared with " + Peers.PYTORCH_2_7);
    }

    private static JitModule load(byte[] module) {
        try {
            Path file = Files.createTempFile("attention4j-bench", ".pt");
            try {
                Files.write(file, module);
                JitModule loaded = torch.load(file.toString());
                loaded.eval();
                return loaded;
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        modules.values().forEach(Pointer::close);
        inference.close();
    }

    private static final class ModuleCall implements Contender.Call {
        private final JitModule module;
        /** Whose memory PyTorch's tensors are: kept from the garbage collector. */
        private final List<Tensor> memory;

        private final List<org.bytedeco.pytorch.Tensor> tensors = new ArrayList<>();
        private final List<IValue> values = new ArrayList<>();
        private final IValueVector inputs;
        private IValue output;

        ModuleCall(JitModule module, List<Tensor> inputs) {
            this.module = module;
            memory = List.copyOf(inputs);
            for (Tensor tensor : inputs) {
                TensorOptions type = new TensorOptions(
                        tensor.dtype() == DType.BOOL ? torch.ScalarType.Bool : torch.ScalarType.Float);
                tensors.add(torch.from_blob(new Pointer(tensor.bytes()), tensor.shape(), type));
                values.add(new IValue(tensors.get(tensors.size() - 1)));
            }
            this.inputs = new IValueVector(values.toArray(new IValue[0]));
        }

        @Override
        public void run() {
            if (output != null) {
                output.close();
            }
            try {
                output = module.forward(inputs);
            } finally {
                Reference.reachabilityFence(memory);
            }
        }

        @Override
        public float[] output() {
            try (org.bytedeco.pytorch.Tensor tensor = output.toTensor().contiguous()) {
                FloatBuffer floats = tensor.createBuffer();
                float[] numbers = new float[floats.remaining()];
                floats.get(numbers);
                return numbers;
            }
        }

        @Override
        public void close() {
            if (output != null) {
                output.close();
            }
            inputs.close();
            values.forEach(Pointer::close);
            tensors.forEach(Pointer::close);
        }
    }
}
