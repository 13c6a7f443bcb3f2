package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.BrokenKernel;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.KernelBranches;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every kernel of {@code opencl/}, and every branch that options of a build choose, under Oclgrind, a simulator that
 * sees data races, reads of what was never written, accesses out of bounds and wrong calls of the API.
 */
class OclgrindTest {
    private static final Path LIBRARY = Path.of("/usr/lib/oclgrind/liboclgrind-rt-icd.so");

    /** Branches that no build under Oclgrind can take. */
    private static final List<String> UNREACHABLE = List.of(
            // An #error: ForwardTilesTiling refuses such tilings.
            "fused/tile_slices.clh #if TILE_ROWS * DIM_SLICE / 4 % GROUP_ITEMS != 0"
                    + " || TILE_KEYS * DIM_SLICE / 4 % GROUP_ITEMS != 0 ||",
            // For Intel's driver: BackendsTest builds it.
            "common/sub_group.clh #if SUB_GROUP_ITEMS > 0 && defined(cl_intel_required_subgroup_size)",
            // For compilers that make code for a GPU: BackendsTest builds it.
            "backward/backward_tile.clh #if WRITTEN_OUT",
            // For compilers that make code for a CPU: tests of numbers run it on PoCL, and prefetching changes nothing.
            "common/exp.clh #if defined(__AVX512DQ__) && VECTOR_WIDTH == 16",
            "common/prefetch.clh #ifdef MAKES_CPU_CODE",
            "common/vector.clh #if defined(__has_builtin) && (defined(__x86_64__) || defined(__aarch64__))",
            "common/vector.clh #if __has_builtin(__builtin_convertvector) && __has_builtin(__builtin_prefetch)",
            "common/vector.clh #ifdef MAKES_CPU_CODE",
            "common/storage.clh #ifdef MAKES_CPU_CODE",
            "common/storage.clh #if VECTOR_WIDTH == 16 && defined(MAKES_CPU_CODE)",
            "common/quantized.clh #ifdef __AVX512F__");

    @TempDir
    Path temporary;

    private Path log() {
        return temporary.resolve("oclgrind.log");
    }

    private String run(Class<?> program, String... arguments) throws Exception {
        return oclgrind(program)
                .environment("OCLGRIND_DATA_RACES", "1")
                .environment("OCLGRIND_CHECK_API", "1")
                .run(temporary, arguments);
    }

    /**
     * With the check of uninitialised reads, without optimisation: that of Oclgrind 21.10 dies of LLVM's {@code
     * freeze}, which only optimisers write. In memory that nobody has filled: of a buffer that clEnqueueFillBuffer once
     * filled, which is how engines poison theirs, it calls all uninitialised, even what a kernel has written since.
     */
    private String runInFreshMemory(Class<?> program, String... arguments) throws Exception {
        return oclgrind(program)
                .environment("OCLGRIND_UNINITIALIZED", "1")
                .environment("OCLGRIND_BUILD_OPTIONS", "-cl-opt-disable")
                .run(temporary, arguments);
    }

    private ChildJvm oclgrind(Class<?> program) throws IOException {
        assertThat(LIBRARY).as("Oclgrind; apt-get install oclgrind").exists();
        Path vendor = Files.writeString(temporary.resolve("oclgrind.icd"), LIBRARY + "\n");
        return new ChildJvm(program)
                .options("-Xmx1g", "-Dattention4j.cache.dir=" + temporary.resolve("cache"))
                .environment("OCL_ICD_VENDORS", vendor.toString())
                .environment("OCLGRIND_LOG", log().toString());
    }

    @Test
    void nothingIsFoundInAnyKernel() throws Exception {
        String ran = run(EveryKernel.class);
        assertThat(log()).as("what Oclgrind reports").isEmptyFile();
        assertThat(ran.lines().filter(line -> !line.startsWith(EveryKernel.BUILD)))
                .as("kernels that ran")
                .containsExactlyInAnyOrderElementsOf(kernelFiles());
        KernelBranches branches = new KernelBranches();
        ran.lines().filter(line -> line.startsWith(EveryKernel.BUILD)).forEach(line -> {
            String[] fileAndOptions = line.substring(EveryKernel.BUILD.length()).split(" ", 2);
            branches.build(fileAndOptions[0], fileAndOptions[1]);
        });
        assertThat(branches.neverTaken())
                .as("branches that no build took")
                .extracting(name -> name.replaceFirst(":\\d+", ""))
                .containsExactlyInAnyOrderElementsOf(UNREACHABLE);
        assertThat(branches.neverLeftOut())
                .as("branches that every build took, so that the other way is not tested")
                .extracting(name -> name.replaceFirst(":\\d+", ""))
                .containsExactlyInAnyOrder(
                        "backward/backward_tile.clh #else",
                        "common/exp.clh #else",
                        "common/prefetch.clh #else",
                        "common/sub_group.clh #else",
                        "common/vector.clh #else",
                        "common/storage.clh #else",
                        "common/storage.clh #else",
                        "common/quantized.clh #else");
    }

    @Test
    void nothingIsReadThatWasNotWritten() throws Exception {
        String ran = runInFreshMemory(EveryKernel.class, EveryKernel.FRESH);
        assertThat(log()).as("what Oclgrind reports").isEmptyFile();
        assertThat(ran.lines()).as("kernels that ran").containsExactlyInAnyOrderElementsOf(kernelFiles());
    }

    @Test
    void aReadOfWhatWasNotWrittenIsFound() throws Exception {
        runInFreshMemory(BrokenKernel.class, temporary.resolve("programs").toString(), "unwritten");
        assertThat(log()).content().contains("Uninitialized value").contains("unwritten");
    }

    @Test
    void aRaceAndAnOverrunAreFound() throws Exception {
        run(BrokenKernel.class, temporary.resolve("programs").toString(), "race_and_overrun");
        assertThat(log())
                .content()
                .contains("data race")
                .contains("Invalid write of size 4")
                .contains("race_and_overrun");
    }

    /** Each file is a kernel of its name. */
    private static List<String> kernelFiles() throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("opencl"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".cl"))
                    .map(name -> name.substring(0, name.length() - ".cl".length()))
                    .toList();
        }
    }
}
