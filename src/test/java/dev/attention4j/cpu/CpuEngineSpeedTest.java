package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineOptions;
import dev.attention4j.reference.ReferenceEngine;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CpuEngineSpeedTest {
    private static final int ROUNDS = 5;
    private static final int CALLS_A_ROUND = 3;

    @Test
    void isTwentyTimesAsFastAsTheOracle() {
        Inputs inputs = Inputs.random(1, 8, 8, 1024, 1024, 64, 64);
        try (AttentionEngine cpu = new CpuEngine(EngineOptions.DEFAULT);
                AttentionEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            // The virtual machine compiles the loops while they run for the first time.
            time(oracle, inputs);
            for (int call = 0; call < 15; call++) {
                time(cpu, inputs);
            }
            // In turns, so that a machine that others slow down slows both.
            double[] oracleSeconds = new double[ROUNDS];
            double[] cpuSeconds = new double[ROUNDS * CALLS_A_ROUND];
            for (int round = 0; round < ROUNDS; round++) {
                oracleSeconds[round] = time(oracle, inputs);
                for (int call = 0; call < CALLS_A_ROUND; call++) {
                    cpuSeconds[round * CALLS_A_ROUND + call] = time(cpu, inputs);
                }
            }
            assertThat(median(oracleSeconds) / median(cpuSeconds))
                    .as("oracle %s s, cpu %s s", Arrays.toString(oracleSeconds), Arrays.toString(cpuSeconds))
                    .isGreaterThanOrEqualTo(20);
        }
    }

    private static double time(AttentionEngine engine, Inputs inputs) {
        long start = System.nanoTime();
        inputs.attend(engine, Attention.builder()).close();
        return (System.nanoTime() - start) / 1e9;
    }

    private static double median(double[] seconds) {
        double[] sorted = seconds.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
