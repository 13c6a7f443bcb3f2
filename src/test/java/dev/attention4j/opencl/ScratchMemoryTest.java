package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.staged.StagedPlan;
import dev.attention4j.testing.TestEngines;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Device memory grows with the lengths, and with their product only where a plan keeps the scores. Every buffer but
 * those that share the host's memory is counted, as allocated.
 */
class ScratchMemoryTest {
    private static final int WIDTH = 16;

    /** The pool's steps are an eighth of a power of two at least, so that lengths of powers of two double exactly. */
    private static final int LENGTH = 256;

    private static final int MOST_KEYS = 1 << 19;

    /** A call's memory on an engine that has done nothing before; inputs and result are on the host. */
    private static long bytes(EngineInfo info, String plan, DType dtype, int queries, int keys) {
        Tensor query = Tensor.random(1, 1, 1, queries, WIDTH).to(dtype);
        Tensor key = Tensor.random(2, 1, 1, keys, WIDTH).to(dtype);
        Tensor value = Tensor.random(3, 1, 1, keys, WIDTH).to(dtype);
        Attention causal = Attention.builder()
                .causal(Alignment.BOTTOM_RIGHT)
                .logSumExp(true)
                .build();
        try (OpenClEngine engine = (OpenClEngine)
                        AttentionEngine.open(info.id(), TestEngines.options().withPlan(plan));
                AttentionResult result = engine.attend(query, key, value, causal)) {
            assertThat(result.plan()).isEqualTo(plan);
            return engine.mostDeviceBytes();
        }
    }

    private static boolean can(AttentionEngine engine, DType dtype, int queries, int keys) {
        try {
            engine.explain(new AttentionProblem(
                    1, 1, 1, queries, keys, WIDTH, WIDTH, dtype, Attention.causal(Alignment.BOTTOM_RIGHT)));
            return true;
        } catch (UnsupportedPlanException e) {
            return false;
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
    void whatAFusedPlanAllocatesGrowsWithTheLengthsAlone(DType dtype) {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            List<String> fused = new ArrayList<>();
            try (AttentionEngine engine = TestEngines.open(info)) {
                fused.addAll(TestEngines.kernelPlans(engine));
            }
            fused.remove(StagedPlan.NAME);
            assertThat(fused).isNotEmpty();
            for (String plan : fused) {
                checkGrowth(info, plan, dtype);
            }
        }
    }

    private static void checkGrowth(EngineInfo info, String plan, DType dtype) {
        // A plan that splits keys over the device does so the more, the more there are, until each unit has enough.
        // Rows never does, but widens the keys of many queries.
        boolean splits = !plan.equals(ForwardRows.NAME);
        int keys = 4 * LENGTH;
        int queries = splits ? LENGTH : 4 * LENGTH;
        try (AttentionEngine engine =
                AttentionEngine.open(info.id(), TestEngines.options().withPlan(plan))) {
            // A plan for few rows is measured on few.
            while (!can(engine, dtype, 4 * queries, 4 * keys)) {
                queries /= 2;
            }
        }
        while (splits
                && keys < MOST_KEYS
                && bytes(info, plan, dtype, queries, 2 * keys) > bytes(info, plan, dtype, queries, keys)) {
            keys *= 2;
        }
        long small = bytes(info, plan, dtype, queries, keys);
        long twice = bytes(info, plan, dtype, 2 * queries, 2 * keys);
        long fourTimes = bytes(info, plan, dtype, 4 * queries, 4 * keys);
        String what = plan + " " + dtype + " on " + info.name() + ": " + small + ", " + twice + ", " + fourTimes
                + " bytes for " + queries + " queries and " + keys + " keys, for twice and for four times as many";
        // Less than the 4 times of a product of the lengths; more than twice where totals of many tiles of keys begin.
        assertThat(twice).as(what).isLessThanOrEqualTo(3 * small);
        assertThat(fourTimes).as(what).isLessThanOrEqualTo(2 * twice);
    }

    /** The counter sees what there is: the scores of the staged plan are as large as they must be. */
    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "FLOAT16"})
    void whatTheStagedPlanAllocatesGrowsWithTheirProduct(DType dtype) {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            long small = bytes(info, StagedPlan.NAME, dtype, LENGTH, LENGTH);
            long twice = bytes(info, StagedPlan.NAME, dtype, 2 * LENGTH, 2 * LENGTH);
            assertThat(small).isGreaterThanOrEqualTo(4L * LENGTH * LENGTH);
            assertThat(twice - small).isGreaterThanOrEqualTo(3 * 4L * LENGTH * LENGTH);
        }
    }

    /** Forward and backward of one head of 32,768 causal queries would take less than 1 GiB. */
    @Test
    void whatGradientsAllocateGrowsWithTheLengthsAlone() {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            long small = bytesOfGradients(info, 512);
            long twice = bytesOfGradients(info, 1024);
            assertThat(twice).isGreaterThan(small).isLessThanOrEqualTo(2 * small + 4096);
            assertThat(32 * twice).isLessThan(1 << 30);
        }
    }

    private static long bytesOfGradients(EngineInfo info, int length) {
        Tensor x = Tensor.random(1, 1, 1, length, 64);
        try (OpenClEngine engine = (OpenClEngine) TestEngines.open(info);
                AttentionTape tape = engine.attendForGradients(x, x, x, Attention.causal(Alignment.BOTTOM_RIGHT));
                AttentionGradients gradients = tape.gradients(x)) {
            assertThat(gradients.query().elementCount()).isEqualTo(64L * length);
            return engine.mostDeviceBytes();
        }
    }
}
