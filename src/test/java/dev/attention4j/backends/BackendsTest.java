package dev.attention4j.backends;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.attention4j.opencl.backward.BackwardBuilds;
import dev.attention4j.opencl.cache.CacheBuilds;
import dev.attention4j.opencl.fused.FusedBuilds;
import dev.attention4j.opencl.projection.ProjectionBuilds;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.OfflineDevices;
import dev.attention4j.opencl.staged.StagedBuilds;
import dev.attention4j.opencl.training.TrainingBuilds;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The kernels for GPUs through the vendors' compilers, with the macros that the plans give: each compiles, and keeps in
 * registers what belongs there. Devices whose compiler is not installed are skipped.
 *
 * <p>A few kernels of each kind. {@code -Dbackends=all} compiles all on all devices, for the better part of an hour, and writes
 * the tables {@code target/backends-DEVICE.md}, from which {@code bench/results/backends.md} is made; only the few are held to
 * the allowances then. {@code -Dbackends=REGEX} compiles those whose label is found.
 */
class BackendsTest {
    private static final String WANTED = System.getProperty("backends", "");
    private static final Pattern DEVICES = Pattern.compile(System.getProperty("backends.devices", ""));
    private static final int PROCESSES = 2;

    /** The device of each vendor on which every build of the project compiles a kernel of each kind. */
    private static final List<String> FIRST = List.of("gfx1030", "dg2", "sm_90");

    /** The kernels there, by the beginnings of their labels, if they are defaults. */
    private static final Pattern USUAL = Pattern.compile(
            "^(forward_tiles (64|128|256) float32 \\("
                    + "|forward_tiles 128 (float16|float32 options|float32 paged|float32, key q8_0, value q8_0) \\("
                    + "|(project_tiles|scores|weighted_sum) float32 \\(16,|softmax|merge_splits float32$"
                    + "|backward_(key_value|query)_tiles 128 float32$|append float32 to q8_0|rotate_heads float16$|pack_weights$|update_elements$)");

    /** The kernel on all other devices. */
    private static final Pattern ELSEWHERE = Pattern.compile("^forward_tiles 128 float32 \\(");

    /** Bytes of private memory that a work-item of these kernels takes on these devices. May only become less. */
    private record Allowance(String kernels, String devices, int bytes) {
        boolean matches(KernelBuild build, Backend backend) {
            return Pattern.compile(kernels).matcher(build.label()).find()
                    && Pattern.compile(devices).matcher(backend.name()).matches();
        }
    }

    private static final List<Allowance> ALLOWANCES = List.of(
            // 128 registers, not 256 as later devices of Intel.
            new Allowance("^forward_tiles 128 float32 \\(", "tgl", 256),
            // In the outer loop alone: what is stored once, and loaded at each tile of keys.
            new Allowance("^forward_tiles 128 float32 \\(", "sm_80", 24),
            new Allowance("^forward_tiles 128 float32 options", "sm_90", 32),
            new Allowance("^forward_tiles 128 float32 paged", "sm_90", 8),
            // In the loops over heads and tiles of queries alone.
            new Allowance("^backward_key_value_tiles 128 float32", "gfx1030", 68));

    /** A build with what it needs, or the compiler's error. */
    private record Compiled(KernelBuild build, Usage usage, String error) {}

    static List<Backend> backends() {
        return Backend.all().stream()
                .filter(backend -> DEVICES.matcher(backend.name()).find())
                .toList();
    }

    @Test
    void aVendorsCompilerIsThere() {
        assertThat(backends()).as("installed compilers").anyMatch(backend -> backend.missing()
                .isEmpty());
    }

    @ParameterizedTest
    @MethodSource("backends")
    void kernelsCompileAndKeepInRegistersWhatBelongsThere(Backend backend) throws Exception {
        String missing = backend.missing().orElse("");
        if (!missing.isEmpty()) {
            System.out.println("BackendsTest leaves out " + backend.vendor() + "'s " + backend + ": needs " + missing);
        }
        assumeTrue(missing.isEmpty(), () -> backend.vendor() + "'s compiler is not installed: " + missing);
        List<String> wrong = new ArrayList<>();
        StringBuilder table = new StringBuilder();
        for (Compiled compiled : compile(backend, wanted(backend))) {
            KernelBuild build = compiled.build;
            int allowed = ALLOWANCES.stream()
                    .filter(allowance -> allowance.matches(build, backend))
                    .mapToInt(Allowance::bytes)
                    .findFirst()
                    .orElse(0);
            if (compiled.usage == null) {
                wrong.add(build.label() + " does not compile: " + compiled.error);
                table.append(row(build, backend, "does not compile"));
                continue;
            }
            Usage usage = compiled.usage;
            table.append(row(
                    build,
                    backend,
                    usage.registers() + " | " + usage.spilledBytes() + " | " + usage.privateBytes() + " | "
                            + usage.localBytes() + " | " + usage.occupancy()));
            if (isUsual(build, backend) && usage.privateBytes() != allowed) {
                wrong.add(build.label() + ": " + usage.privateBytes() + " bytes of private memory, must be " + allowed
                        + (usage.privateBytes() > allowed ? "" : "; let the table of the test say the new number"));
            }
        }
        System.out.print(table);
        if (WANTED.equals("all")) {
            Files.writeString(Path.of("target", "backends-" + backend + ".md"), table);
        }
        assertThat(wrong).as("kernels on " + backend).isEmpty();
    }

    private static String row(KernelBuild build, Backend backend, String rest) {
        return "| " + build.label() + (build.isDefault() ? "" : ", if tuned") + " | " + backend + " | " + rest + " |\n";
    }

    private static List<KernelBuild> wanted(Backend backend) {
        ClDevice device = backend.device();
        Pattern pattern = Pattern.compile(WANTED.equals("all") ? "" : WANTED);
        return Stream.of(
                        FusedBuilds.all(device),
                        ProjectionBuilds.all(device),
                        StagedBuilds.all(device),
                        CacheBuilds.all(device),
                        TrainingBuilds.all(device),
                        BackwardBuilds.all(device))
                .flatMap(List::stream)
                .filter(build -> WANTED.isEmpty()
                        ? isUsual(build, backend)
                        : pattern.matcher(build.label()).find())
                .toList();
    }

    /** Whether every build of the project compiles a kernel, and holds it to the allowances. */
    private static boolean isUsual(KernelBuild build, Backend backend) {
        Pattern usual = FIRST.contains(backend.name()) ? USUAL : ELSEWHERE;
        return build.isDefault() && usual.matcher(build.label()).find();
    }

    private static List<Compiled> compile(Backend backend, List<KernelBuild> builds) throws Exception {
        Path directory = Files.createDirectories(Path.of("target", "backends").toAbsolutePath());
        ExecutorService processes = Executors.newFixedThreadPool(PROCESSES);
        try {
            List<Callable<Compiled>> tasks = new ArrayList<>();
            for (KernelBuild build : builds) {
                tasks.add(() -> compile(backend, build, directory));
            }
            List<Compiled> all = new ArrayList<>();
            for (Future<Compiled> future : processes.invokeAll(tasks)) {
                all.add(future.get());
            }
            return all;
        } finally {
            processes.shutdownNow();
        }
    }

    private static Compiled compile(Backend backend, KernelBuild build, Path parent) throws Exception {
        Path directory = Files.createTempDirectory(parent, backend.name());
        try {
            Path source = Files.writeString(directory.resolve("kernel.cl"), OfflineDevices.source(build.file()));
            return new Compiled(build, backend.compile(build, source, directory), "");
        } catch (IOException | AssertionError e) {
            return new Compiled(build, null, e.getMessage());
        } finally {
            delete(directory);
        }
    }

    private static void delete(Path directory) throws IOException {
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, IOException e) throws IOException {
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
