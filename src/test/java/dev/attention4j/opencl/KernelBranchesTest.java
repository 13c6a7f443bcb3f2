package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is noted of builds: else {@link OclgrindTest} could not fail. */
class KernelBranchesTest {
    private final KernelBranches branches = new KernelBranches();

    @BeforeEach
    void oneBuild() {
        branches.build("staged/softmax.cl", "-cl-std=CL1.2 -DMULTIPLY_ADD_MODE=0 -DGROUP_ITEMS=1 -DSINKS=1");
    }

    private static long of(Set<String> names, String file, String directive) {
        return names.stream()
                .filter(name -> name.startsWith(file + ":") && name.endsWith(directive))
                .count();
    }

    @Test
    void aMacroIsTestedBothWaysOnlyByTwoBuilds() {
        assertThat(of(branches.neverTaken(), "staged/softmax.cl", "#ifdef LOG_SUM_EXP"))
                .isEqualTo(1);
        assertThat(of(branches.neverLeftOut(), "staged/softmax.cl", "#ifdef LOG_SUM_EXP"))
                .isZero();
        assertThat(of(branches.neverTaken(), "staged/softmax.cl", "#ifdef SINKS"))
                .isZero();
        assertThat(of(branches.neverLeftOut(), "staged/softmax.cl", "#ifdef SINKS"))
                .isEqualTo(2);

        branches.build("staged/softmax.cl", "-DMULTIPLY_ADD_MODE=0 -DGROUP_ITEMS=1 -DLOG_SUM_EXP=1 -DMARK_MASKED=1");

        assertThat(of(branches.neverTaken(), "staged/softmax.cl", "")).isZero();
        assertThat(of(branches.neverLeftOut(), "staged/softmax.cl", "")).isZero();
    }

    @Test
    void includedFilesCountWithTheValuesTheyAreBuiltWith() {
        // Which softmax.cl does not include: no build has taken any of it.
        assertThat(of(branches.neverTaken(), "common/storage.clh", "#elif STORAGE == 1"))
                .isPositive();

        branches.build("projection/project_rows.cl", "-DMULTIPLY_ADD_MODE=2 -DSTORAGE=1");

        assertThat(of(branches.neverTaken(), "common/storage.clh", "#elif STORAGE == 1"))
                .isZero();
        assertThat(of(branches.neverTaken(), "common/storage.clh", "#if STORAGE == 0"))
                .isPositive();
        assertThat(of(branches.neverTaken(), "common/multiply_add.clh", "#else"))
                .isZero();
        assertThat(of(branches.neverTaken(), "common/multiply_add.clh", "#elif MULTIPLY_ADD_MODE == 1"))
                .isEqualTo(1);
    }

    @Test
    void whatSetsADefaultIsNoBranch() {
        assertThat(of(branches.neverTaken(), "staged/softmax.cl", "#ifndef GROUP_ITEMS"))
                .isZero();
        assertThat(of(branches.neverLeftOut(), "common/vector.clh", "#ifndef VECTOR_WIDTH"))
                .isZero();
    }
}
