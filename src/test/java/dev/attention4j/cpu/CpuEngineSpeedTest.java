package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Timing;
import dev.attention4j.reference.ReferenceEngine;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;

/**
 * Two threads against the oracle's one, in processor time divided by the threads, so that what else runs on the machine
 * does not count: that is the time on the clock where both threads have a core to themselves.
 *
 * <p>Measures in a virtual machine of its own, as a program would run: coverage probes within the inner loops and loops
 * compiled for the short rows of other tests would slow it to a fourth.
 */
class CpuEngineSpeedTest {
    private static final int ROUNDS = 5;
    private static final int CALLS_A_ROUND = 8;
    private static final int THREADS = 2;
    private static final String SPEEDUP = "speedup ";

    @Test
    void isTwentyTimesAsFastAsTheOracle() throws Exception {
        String classPath = Stream.of(CpuEngine.class, CpuEngineSpeedTest.class, Logger.class)
                .map(CpuEngineSpeedTest::place)
                .distinct()
                .collect(Collectors.joining(File.pathSeparator));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        classPath,
                        CpuEngineSpeedTest.class.getName())
                .redirectErrorStream(true)
                .start();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(printed).isZero();
        double speedup = Double.parseDouble(printed.lines()
                .filter(line -> line.startsWith(SPEEDUP))
                .findFirst()
                .orElseThrow(() -> new AssertionError(printed))
                .substring(SPEEDUP.length()));
        assertThat(speedup).as(printed).isGreaterThanOrEqualTo(20);
    }

    private static String place(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (java.net.URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /** Batch 1, 8 heads, length 1024, width 64; the engines take turns, so that a busy machine slows both. */
    public static void main(String[] none) {
        Tensor query = Tensor.random(1, 1, 8, 1024, 64);
        Tensor key = Tensor.random(2, 1, 8, 1024, 64);
        Tensor value = Tensor.random(3, 1, 8, 1024, 64);
        try (AttentionEngine cpu = new CpuEngine(EngineOptions.DEFAULT.withThreads(THREADS));
                AttentionEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            // The loops are compiled while they run for the first time.
            seconds(oracle, 1, query, key, value);
            seconds(cpu, 40, query, key, value);
            double[] oracleSeconds = new double[ROUNDS];
            double[] cpuSeconds = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                oracleSeconds[round] = seconds(oracle, 1, query, key, value);
                cpuSeconds[round] = seconds(cpu, CALLS_A_ROUND, query, key, value) / THREADS;
            }
            System.out.println("oracle, s: " + Arrays.toString(oracleSeconds));
            System.out.println("cpu, s: " + Arrays.toString(cpuSeconds));
            System.out.printf(
                    Locale.ROOT, "%s%.2f%n", SPEEDUP, Timing.median(oracleSeconds) / Timing.median(cpuSeconds));
        }
    }

    /** Processor time of all threads for one call, the mean of some. */
    private static double seconds(AttentionEngine engine, int calls, Tensor query, Tensor key, Tensor value) {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long start = system.getProcessCpuTime();
        for (int call = 0; call < calls; call++) {
            engine.attend(query, key, value).close();
        }
        return (system.getProcessCpuTime() - start) / 1e9 / calls;
    }
}
