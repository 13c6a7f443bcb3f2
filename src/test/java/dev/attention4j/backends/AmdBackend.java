package dev.attention4j.backends;

import dev.attention4j.opencl.runtime.OfflineDevices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** AMD's devices: LLVM's back end, which is that of AMD's drivers, with AMD's libraries for devices. */
final class AmdBackend extends Backend {
    private static final Optional<Path> CLANG = find("clang-19");
    private static final Path LIBRARIES = Path.of("/usr/lib/x86_64-linux-gnu/amdgcn/bitcode");

    /** Devices that Debian's libraries are older than: the numbers of their instruction sets. */
    private static final Map<String, Integer> NEWER = Map.of("gfx1100", 11000);

    AmdBackend(String name) {
        super(name, OfflineDevices.amd(name));
    }

    @Override
    String vendor() {
        return "AMD";
    }

    @Override
    Optional<String> missing() {
        return CLANG.isPresent() && Files.exists(LIBRARIES)
                ? Optional.empty()
                : Optional.of("clang-19 and AMD's libraries; apt-get install clang-19 rocm-device-libs");
    }

    @Override
    Usage compile(KernelBuild build, Path source, Path directory) throws IOException, InterruptedException {
        Path code = directory.resolve("kernel.s");
        List<String> command = new ArrayList<>(List.of(CLANG.orElseThrow().toString(), "-x", "cl"));
        command.addAll(options(build));
        command.addAll(List.of(
                "-target",
                "amdgcn-amd-amdhsa",
                "-mcpu=" + name(),
                "-mcode-object-version=4",
                "--rocm-device-lib-path=" + libraries(directory),
                "-O3",
                "-S",
                source.toString(),
                "-o",
                code.toString()));
        run(directory, command);
        String all = Files.readString(code);
        String text = all.substring(all.indexOf("; Kernel info:"));
        return new Usage(
                number("TotalNumVgprs: (\\d+)", text) > 0
                        ? number("TotalNumVgprs: (\\d+)", text)
                        : number("NumVgprs: (\\d+)", text),
                4 * number("\\.vgpr_spill_count: +(\\d+)", text),
                number("ScratchSize: (\\d+)", text),
                number("LDSByteSize: (\\d+)", text),
                number("Occupancy: (\\d+)", text) + " waves");
    }

    /** The libraries; with links to them beside the number of a newer instruction set. */
    private Path libraries(Path directory) throws IOException, InterruptedException {
        Integer isa = NEWER.get(name());
        Path file = Path.of("oclc_isa_version_" + name().substring("gfx".length()) + ".bc");
        if (isa == null || Files.exists(LIBRARIES.resolve(file))) {
            return LIBRARIES;
        }
        Path links = Files.createDirectory(directory.resolve("libraries"));
        try (var libraries = Files.list(LIBRARIES)) {
            for (Path library : libraries.toList()) {
                Files.createSymbolicLink(links.resolve(library.getFileName()), library);
            }
        }
        Path source = directory.resolve("isa.cl");
        Files.writeString(
                source,
                "extern const __constant int __oclc_ISA_version;\nconst __constant int __oclc_ISA_version = " + isa
                        + ";\n");
        run(
                directory,
                List.of(
                        CLANG.orElseThrow().toString(),
                        "-x",
                        "cl",
                        "-cl-std=CL1.2",
                        "-target",
                        "amdgcn-amd-amdhsa",
                        "-mcpu=" + name(),
                        "-mcode-object-version=4",
                        "-nogpulib",
                        "-emit-llvm",
                        "-c",
                        source.toString(),
                        "-o",
                        links.resolve(file).toString()));
        return links;
    }
}
