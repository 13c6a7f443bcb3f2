package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A second start of a program compiles nothing and is quick. */
class SecondStartTest {
    /**
     * Half a second is what a user may wait on a machine of his own. Where others compute beside it even processor time
     * is several times that, so this notices only what is out of all proportion; that nothing is compiled is exact.
     */
    private static final double MOST_PROCESSOR_SECONDS = 5;

    @TempDir
    Path temporary;

    /** Calls the plans of a device, one after another, and prints how many kernel files were not in the library's cache. */
    static final class Calls {
        private Calls() {}

        public static void main(String[] arguments) {
            Attention expressed = Attention.builder()
                    .score("score + slope * (key - query)", ScoreParameters.NONE.with("slope", 0.01))
                    .maskIf("key % 5 != 1")
                    .build();
            for (int plan = 1; plan < arguments.length; plan++) {
                EngineOptions options = EngineOptions.DEFAULT.withPlan(arguments[plan]);
                try (AttentionEngine engine = AttentionEngine.open(arguments[0], options)) {
                    assertThat(call(engine, DType.FLOAT32, 1, 16, Attention.DEFAULT))
                            .isFinite();
                    assertThat(call(engine, DType.FLOAT16, 33, 16, Attention.DEFAULT))
                            .isFinite();
                    assertThat(call(engine, DType.FLOAT32, 1, 16, expressed)).isFinite();
                }
            }
            System.out.println(DeviceContext.compiledFromSource());
        }
    }

    /**
     * Opens the engine of this user's choice, calls it once, and prints kernels compiled, seconds and processor
     * seconds.
     */
    static final class FirstCall {
        private FirstCall() {}

        public static void main(String[] arguments) {
            OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
            long processor = system.getProcessCpuTime();
            long start = System.nanoTime();
            try (AttentionEngine engine = AttentionEngine.open(arguments[0])) {
                double last = call(engine, DType.FLOAT32, 128, 64, Attention.DEFAULT);
                double seconds = (System.nanoTime() - start) / 1e9;
                double processorSeconds = (system.getProcessCpuTime() - processor) / 1e9;
                assertThat(last).isFinite();
                System.out.println(DeviceContext.compiledFromSource() + " " + seconds + " " + processorSeconds);
            }
        }
    }

    /** The last element of a result over enough keys that plans which split them do. */
    private static double call(AttentionEngine engine, DType dtype, int queries, int width, Attention attention) {
        Tensor query = Tensor.random(1, 1, 2, queries, width).to(dtype);
        Tensor key = Tensor.random(2, 1, 2, 1100, width).to(dtype);
        Tensor value = Tensor.random(3, 1, 2, 1100, width).to(dtype);
        try (AttentionResult result = engine.attend(query, key, value, attention)) {
            return result.output().get(0, 1, queries - 1, width - 1);
        }
    }

    private String start(EngineInfo info, Class<?> program, List<String> arguments, String... options)
            throws Exception {
        List<String> all = new ArrayList<>(List.of(info.id()));
        all.addAll(arguments);
        return new ChildJvm(program)
                .options("-Dattention4j.cache.dir=" + temporary.resolve("cache"))
                .options(options)
                .environment("POCL_CACHE_DIR", temporary.resolve("pocl").toString())
                .run(temporary, all.toArray(new String[0]))
                .trim();
    }

    @Test
    void aSecondStartCompilesNothing() throws Exception {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            List<String> plans;
            try (AttentionEngine engine = TestEngines.open(info)) {
                plans = TestEngines.kernelPlans(engine);
            }
            int compiled = Integer.parseInt(start(info, Calls.class, plans));
            assertThat(compiled).as("kernels compiled at first").isGreaterThanOrEqualTo(2 * plans.size());
            Set<Path> built = builtByDriver();
            String then = start(info, Calls.class, plans);
            checkNothingIsCompiled(info, then, built);
        }
    }

    /** Returns what PoCL has compiled: the code of kernels, in its own cache. */
    private Set<Path> builtByDriver() throws IOException {
        Files.createDirectories(temporary.resolve("pocl"));
        try (Stream<Path> files = Files.walk(temporary.resolve("pocl"))) {
            return files.filter(file -> file.toString().endsWith(".so")).collect(Collectors.toSet());
        }
    }

    /** Where the driver keeps builds, it has none that it had not before; elsewhere no kernel file was compiled. */
    private void checkNothingIsCompiled(EngineInfo info, String compiled, Set<Path> before) throws IOException {
        if (info.facts().get("quirks").toString().contains("keeps builds")) {
            assertThat(builtByDriver()).isEqualTo(before).isNotEmpty();
        } else {
            assertThat(compiled).as("kernels compiled then").isEqualTo("0");
        }
    }

    @Test
    void openingAnEngineAndTheFirstCallAreQuickThen() throws Exception {
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            Path loaded = temporary.resolve("loaded.txt");
            start(info, FirstCall.class, List.of(), "-Xlog:class+load=info:file=" + loaded);
            checkNoRecordsMethodIsMade(loaded);
            Set<Path> built = builtByDriver();
            String[] second = start(info, FirstCall.class, List.of()).split(" ", -1);
            System.out.printf(
                    "%s: engine and first call in a second start: %s s, %s s of processor time%n",
                    info.name(), second[1], second[2]);
            checkNothingIsCompiled(info, second[0], built);
            assertThat(Double.parseDouble(second[2]))
                    .as("seconds of processor time")
                    .isLessThan(MOST_PROCESSOR_SECONDS);
        }
    }

    /**
     * The JVM makes hashCode and equals of a record when it first needs them, by a compiler in the program: 40 ms for a
     * program's first, a tenth of all that a first call takes, and ten for each other.
     */
    private static void checkNoRecordsMethodIsMade(Path loaded) throws IOException {
        List<String> makers = Files.readAllLines(loaded).stream()
                .filter(line -> line.contains("java.lang.runtime.ObjectMethods "))
                .toList();
        assertThat(loaded).content().contains(AttentionEngine.class.getName() + " ");
        assertThat(makers).as("a record's hashCode or equals in a first call").isEmpty();
    }
}
