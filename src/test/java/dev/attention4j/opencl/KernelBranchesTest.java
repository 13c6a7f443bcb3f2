package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.KernelBranches;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is noted of builds: else {@link OclgrindTest} could not fail. */
class KernelBranchesTest {
    private final KernelBranches branches = new KernelBranches();

    @BeforeEach
    void oneBuild() {
        branches.build("staged/weighted_sum.cl", "-cl-std=CL1.2 -DMULTIPLY_ADD_MODE=0 -DSTORAGE=2 -DSKIP_MASKED=1");
    }

    private static long of(Set<String> names, String file, String directive) {
        return names.stream()
                .filter(name -> name.startsWith(file + ":") && name.endsWith(directive))
                .count();
    }

    @Test
    void aMacroIsTestedBothWaysOnlyByTwoBuilds() {
        String file = "staged/weighted_sum.cl";
        assertThat(of(branches.neverTaken(), file, "#ifdef SKIP_MASKED")).isZero();
        assertThat(of(branches.neverLeftOut(), file, "#ifdef SKIP_MASKED")).isEqualTo(1);
        assertThat(of(branches.neverTaken(), file, "#else")).isEqualTo(1);

        branches.build(file, "-DMULTIPLY_ADD_MODE=0 -DSTORAGE=2 -DDROPOUT=1");

        assertThat(of(branches.neverTaken(), file, "")).isZero();
        assertThat(of(branches.neverLeftOut(), file, "")).isZero();
    }

    @Test
    void includedFilesCountWithTheValuesTheyAreBuiltWith() {
        assertThat(of(branches.neverTaken(), "common/storage4.clh", "#elif STORAGE == 1"))
                .isPositive();

        branches.build("fused/forward_tiles.cl", "-DMULTIPLY_ADD_MODE=2 -DSTORAGE=1");

        assertThat(of(branches.neverTaken(), "common/storage4.clh", "#elif STORAGE == 1"))
                .isZero();
        assertThat(of(branches.neverTaken(), "common/storage4.clh", "#if STORAGE == 0"))
                .isPositive();
        assertThat(of(branches.neverTaken(), "common/multiply_add.clh", "#else"))
                .isZero();
        assertThat(of(branches.neverTaken(), "common/multiply_add.clh", "#elif MULTIPLY_ADD_MODE == 1"))
                .isEqualTo(1);
    }

    @Test
    void whatSetsADefaultIsNoBranch() {
        assertThat(of(branches.neverTaken(), "staged/weighted_sum.cl", "#ifndef LOCAL_DIMS"))
                .isZero();
        assertThat(of(branches.neverLeftOut(), "common/vector.clh", "#ifndef VECTOR_WIDTH"))
                .isZero();
    }
}
