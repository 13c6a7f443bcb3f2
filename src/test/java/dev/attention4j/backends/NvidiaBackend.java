package dev.attention4j.backends;

import dev.attention4j.opencl.runtime.OfflineDevices;
import dev.attention4j.testing.ChildJvm;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * NVIDIA's devices: clang reads the kernel, libnvvm of a CUDA toolkit, which is the OpenCL driver's optimiser, writes PTX, and
 * ptxas compiles it.
 */
final class NvidiaBackend extends Backend {
    private static final Optional<Path> CLANG = find("clang-15");
    private static final Optional<Path> PTXAS = find("ptxas", "/usr/local/cuda/bin/ptxas");
    private static final Optional<Path> NVVM =
            find("/usr/local/cuda/nvvm/lib64/libnvvm.so", "/usr/local/cuda/lib64/libnvvm.so");

    /** Registers, warps and KiB of local memory of a multiprocessor. */
    private record Multiprocessor(int registers, int warps, int kibibytes) {}

    private static final Map<String, Multiprocessor> MULTIPROCESSORS = Map.of(
            "sm_80", new Multiprocessor(65_536, 64, 164),
            "sm_89", new Multiprocessor(65_536, 48, 100),
            "sm_90", new Multiprocessor(65_536, 64, 228));

    /** The PTX of each source and options, which is the same for all these devices. */
    private static final Map<String, String> PTX = new ConcurrentHashMap<>();

    NvidiaBackend(String name) {
        super(name, OfflineDevices.nvidia(name));
    }

    @Override
    String vendor() {
        return "NVIDIA";
    }

    @Override
    Optional<String> missing() {
        return CLANG.isPresent() && PTXAS.isPresent() && NVVM.isPresent()
                ? Optional.empty()
                : Optional.of("clang-15, and ptxas and libnvvm.so of a CUDA toolkit in PATH or /usr/local/cuda");
    }

    @Override
    Usage compile(KernelBuild build, Path source, Path directory) throws IOException, InterruptedException {
        Path ptx = directory.resolve("kernel.ptx");
        Files.writeString(ptx, PTX.computeIfAbsent(source + " " + options(build), key -> {
            try {
                return ptx(build, source, directory);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }));
        String printed = run(
                directory,
                List.of(
                        PTXAS.orElseThrow().toString(),
                        "-arch=" + name(),
                        "-v",
                        ptx.toString(),
                        "-o",
                        directory.resolve("kernel.cubin").toString()));
        Matcher facts = Pattern.compile(
                        "Compiling entry function '" + build.kernel()
                                + "'.*?(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads"
                                + ".*?Used (\\d+) registers([^\n]*)",
                        Pattern.DOTALL)
                .matcher(printed);
        if (!facts.find()) {
            throw new IOException("ptxas: " + printed);
        }
        int registers = Integer.parseInt(facts.group(4));
        int localBytes = number("(\\d+) bytes smem", facts.group(5));
        return new Usage(
                registers,
                Integer.parseInt(facts.group(2)) + Integer.parseInt(facts.group(3)),
                Integer.parseInt(facts.group(1)),
                localBytes,
                warps(registers, localBytes, build.groupItems()) + " warps");
    }

    /** Warps of a multiprocessor at a time, in whole work-groups. */
    private int warps(int registers, int localBytes, int groupItems) {
        Multiprocessor unit = MULTIPROCESSORS.get(name());
        int groupWarps = (groupItems + 31) / 32;
        int registersOfWarp = (registers * 32 + 255) / 256 * 256;
        int groups = Math.min(
                Math.min(unit.registers / (registersOfWarp * groupWarps), unit.warps / groupWarps),
                Math.min(unit.kibibytes * 1024 / (localBytes + 1024), 24));
        return groups * groupWarps;
    }

    private String ptx(KernelBuild build, Path source, Path directory) throws IOException, InterruptedException {
        Path builtins = directory.resolve("builtins.clh");
        try (InputStream text = NvidiaBackend.class.getResourceAsStream("/backends/nvidia_builtins.clh")) {
            Files.copy(text, builtins);
        }
        Path bitcode = directory.resolve("kernel.ll");
        List<String> command = new ArrayList<>(List.of(CLANG.orElseThrow().toString(), "-x", "cl"));
        command.addAll(options(build));
        command.addAll(List.of(
                "-Xclang",
                "-fdenormal-fp-math-f32=preserve-sign",
                "-target",
                "nvptx64-nvidia-nvcl",
                "-march=sm_80",
                "-Xclang",
                "-target-feature",
                "-Xclang",
                "+ptx75",
                "-Xclang",
                "-cl-ext=+cl_khr_fp16",
                "-include",
                builtins.toString(),
                // At -O1 clang marks every loop as not to be unrolled.
                "-O2",
                "-Xclang",
                "-disable-llvm-passes",
                "-Xclang",
                "-no-opaque-pointers",
                "-fno-discard-value-names",
                "-S",
                "-emit-llvm",
                source.toString(),
                "-o",
                bitcode.toString()));
        run(directory, command);
        Path ptx = directory.resolve("optimised.ptx");
        // In a process of its own: what it does not understand ends the process.
        new ChildJvm(Nvvm.class).run(directory, NVVM.orElseThrow().toString(), bitcode.toString(), ptx.toString());
        return Files.readString(ptx);
    }
}
