package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.Doctor;
import dev.attention4j.opencl.machine.CLibrary;
import dev.attention4j.opencl.machine.SignalHandlers;
import dev.attention4j.testing.ChildJvm;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A JVM keeps its signal handlers whatever it does with OpenCL, without {@code LD_PRELOAD} and without a second JVM. */
@EnabledOnOs(OS.LINUX)
class SignalHandlersTest {
    @TempDir
    private Path directory;

    private ChildJvm child(Class<?> program) {
        return new ChildJvm(program)
                .options("-Xmx256m", "-Dattention4j.cache.dir=" + directory.resolve("cache"))
                // Empty, so that PoCL compiles.
                .environment("POCL_CACHE_DIR", directory.resolve("pocl").toString())
                .environment("LD_PRELOAD", "");
    }

    @Test
    void noKindOfCallChangesThem() throws Exception {
        assertThat(child(EveryCall.class).run(directory).lines().toList())
                .containsExactly(
                        "nothing: all as before, java.lang.ArithmeticException: / by zero",
                        "list: all as before, java.lang.ArithmeticException: / by zero",
                        "open and close: all as before, java.lang.ArithmeticException: / by zero",
                        "build: all as before, java.lang.ArithmeticException: / by zero",
                        "build that fails: all as before, java.lang.ArithmeticException: / by zero",
                        "attend: all as before, java.lang.ArithmeticException: / by zero",
                        "probe: all as before, java.lang.ArithmeticException: / by zero",
                        "doctor: all as before, java.lang.ArithmeticException: / by zero");
    }

    /** Handlers as the operating system has them. */
    static final class EveryCall {
        private static int zero;
        private static Map<Integer, String> before;

        private EveryCall() {}

        public static void main(String[] args) {
            before = handlers();
            said("nothing");
            List<EngineInfo> engines = Engines.list();
            said("list");
            List<String> devices = engines.stream()
                    .filter(EngineInfo::isOpenCl)
                    .map(EngineInfo::id)
                    .toList();
            for (String device : devices) {
                AttentionEngine.open(device).close();
            }
            said("open and close");
            Devices.find().devices().forEach(device -> {
                try (DeviceContext context = DeviceContext.open(device, null)) {
                    context.kernel("probe/device_probe.cl", "device_probe", probe(0));
                }
            });
            said("build");
            Devices.find().devices().forEach(device -> {
                try (DeviceContext context = DeviceContext.open(device, null)) {
                    context.kernel("probe/device_probe.cl", "device_probe", Map.of("PROBE", "#"));
                    throw new AssertionError("it built");
                } catch (ClException e) {
                    // As it should be.
                }
            });
            said("build that fails");
            Tensor x = Tensor.random(1, 1, 2, 16, 16);
            for (String device : devices) {
                try (AttentionEngine engine = Engines.open(device, EngineOptions.DEFAULT);
                        AttentionResult result = engine.attend(x, x, x)) {
                    result.output().toFloatArray();
                }
            }
            said("attend");
            for (String device : devices) {
                try (AttentionEngine engine = AttentionEngine.open(device)) {
                    engine.probe();
                }
            }
            said("probe");
            Doctor.examine();
            said("doctor");
        }

        private static Map<String, Object> probe(int feature) {
            return Map.of("PROBE", feature, "GROUP_ITEMS", 16, "LOCAL_BYTES", 1024);
        }

        private static void said(String what) {
            Map<Integer, String> now = handlers();
            Map<Integer, String> changed = new TreeMap<>(now);
            changed.entrySet().removeAll(before.entrySet());
            String divided;
            try {
                divided = "7 / 0 is " + 7 / zero;
            } catch (ArithmeticException e) {
                divided = e.toString();
            }
            System.out.println(
                    what + ": " + (changed.isEmpty() ? "all as before" : "changed " + changed) + ", " + divided);
        }

        /** Of all signals but the JVM's own real-time ones, which it takes into use by and by. */
        private static Map<Integer, String> handlers() {
            CLibrary library = CLibrary.load().orElseThrow();
            Map<Integer, String> handlers = new TreeMap<>();
            for (int signal = 1; signal < 32; signal++) {
                int of = signal;
                library.action(signal).ifPresent(action -> handlers.put(of, text(action, library)));
            }
            return handlers;
        }

        private static String text(ByteBuffer action, CLibrary library) {
            return Long.toHexString(action.getLong(0)) + " " + Long.toHexString(action.getLong(8)) + " "
                    + library.libraryOf(action.getLong(0));
        }
    }

    /** By number, as a terminal's Ctrl-C and as a service's stop send them. */
    @ParameterizedTest
    @ValueSource(ints = {2, 15})
    void whoStopsAJvmHasItsHooksRun(int signal) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Dattention4j.cache.dir=" + directory.resolve("cache"),
                "-cp",
                classPath(),
                Hook.class.getName());
        builder.environment().remove("LD_PRELOAD");
        Process process =
                builder.redirectError(directory.resolve("err").toFile()).start();
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            assertThat(lines.readLine())
                    .as(() -> read(directory.resolve("err")))
                    .isEqualTo("attended");
            assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
                            .start()
                            .waitFor())
                    .isZero();
            assertThat(lines.readLine()).isEqualTo("the hook has run");
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(128 + signal);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Attends, and waits. */
    static final class Hook {
        private Hook() {}

        public static void main(String[] args) throws InterruptedException {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("the hook has run")));
            try (AttentionEngine engine = AttentionEngine.open("opencl:0")) {
                Tensor x = Tensor.random(1, 1, 1, 4, 8);
                engine.attend(x, x, x).close();
            }
            System.out.println("attended");
            Thread.sleep(60_000);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "oracle", "CPU"})
    void anEngineInJavaLoadsNoDriver(String engine) throws Exception {
        assertThat(child(InJava.class).run(directory, engine))
                .isEqualToIgnoringNewLines(engine.toLowerCase(Locale.ROOT) + " []");
    }

    /** Opens an engine. */
    static final class InJava {
        private InJava() {}

        public static void main(String[] args) {
            try (AttentionEngine engine = AttentionEngine.open(args[0])) {
                System.out.println(engine.info().id() + " " + SignalHandlers.loaded("libOpenCL"));
            }
        }
    }

    /** A program without an SLF4J provider hears nothing of what is logged. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whereTheyCannotBeKeptTheProgramIsToldOnce(boolean logs) throws Exception {
        String path = Arrays.stream(classPath().split(File.pathSeparator, -1))
                .filter(entry -> logs || !entry.contains("slf4j-simple"))
                .collect(Collectors.joining(File.pathSeparator));
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Dattention4j.cache.dir=" + directory.resolve("cache"),
                "-Djna.tmpdir=" + Files.writeString(directory.resolve("file"), "no directory"),
                "-cp",
                path,
                OpenTwice.class.getName());
        builder.environment().remove("LD_PRELOAD");
        Process process = builder.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        assertThat(said.lines().filter(line -> line.contains("signal handlers")))
                .singleElement()
                .asString()
                .contains("JNA does not load", "Fix: have JNA");
    }

    /** Opens a device twice. */
    static final class OpenTwice {
        private OpenTwice() {}

        public static void main(String[] args) {
            AttentionEngine.open("opencl:0").close();
            AttentionEngine.open("opencl:0").close();
        }
    }

    private static String classPath() {
        return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
