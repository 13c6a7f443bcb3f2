package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import dev.attention4j.opencl.runtime.PoclThreads;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class SignalChainingTest {
    private static final Path POCL = Path.of("/etc/OpenCL/vendors/pocl.icd");

    @TempDir
    private Path directory;

    private Process start(Class<?> program, String... arguments) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Dmark=of the first JVM",
                "-Dattention4j.cache.dir=" + directory.resolve("cache"),
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                program.getName());
        builder.command().addAll(List.of(arguments));
        // As a user has it: the tests themselves run with libjsig.
        builder.environment().remove("LD_PRELOAD");
        builder.environment().remove(PoclThreads.AFFINITY);
        builder.environment().put("OCL_ICD_VENDORS", POCL.toString());
        return builder.redirectError(directory.resolve("err").toFile()).start();
    }

    @Test
    void aProgramKeepsItsFaultsItsArgumentsAndItsExitCodeBesideAnOpenClCompiler() throws Exception {
        Process process = start(Program.class, "opencl:0", "a b", "", "\"$'");
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as(() -> out + read(directory.resolve("err")))
                .isEqualTo(7);
        assertThat(out.lines())
                .containsExactly(
                        "[opencl:0, a b, , \"$'] of the first JVM",
                        "java.lang.ArithmeticException: / by zero",
                        "libjsig is there",
                        "threads " + PoclThreads.affinity().orElse(null));
        assertThat(read(directory.resolve("err"))).doesNotContain("libjsig");
    }

    @Test
    void aProgramWithoutItIsToldOnce() throws Exception {
        Process process = start(Unchained.class);
        process.getInputStream().readAllBytes();
        assertThat(process.waitFor()).isZero();
        assertThat(read(directory.resolve("err")).lines().filter(line -> line.contains("signal handlers")))
                .singleElement()
                .asString()
                .endsWith("Start it with LD_PRELOAD=" + Path.of(System.getProperty("java.home"), "lib", "libjsig.so"));
    }

    @Test
    void whoeverStopsTheFirstJvmStopsTheSecond() throws Exception {
        Process process = start(Program.class, "sleep");
        // Its one line comes from the second.
        assertThat(process.inputReader(StandardCharsets.UTF_8).readLine()).startsWith("[sleep]");
        ProcessHandle second = process.children().findFirst().orElseThrow();
        process.destroy();
        assertThat(process.waitFor()).isEqualTo(128 + 15);
        second.onExit().get(10, TimeUnit.SECONDS);
        assertThat(second.isAlive()).isFalse();
    }

    @Test
    void theCommandLineDoesIt() throws Exception {
        Process process = start(Main.class, "doctor");
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as(() -> out + read(directory.resolve("err")))
                .isZero();
        assertThat(out.replaceAll("\\s+", " "))
                .contains(
                        "ok the JVM keeps its signal handlers beside the drivers' compilers: PoCL replaces them, libjsig"
                                + " is preloaded");
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Opens a device twice, as a program of the library's users does. */
    static final class Unchained {
        private Unchained() {}

        public static void main(String[] args) {
            AttentionEngine.open("opencl:0").close();
            AttentionEngine.open("opencl:0").close();
        }
    }

    /** Opens a device, so that its driver's compiler runs, then divides by zero. */
    static final class Program {
        private static int zero;

        private Program() {}

        public static void main(String[] args) throws Exception {
            OptionalInt code = SignalChaining.runAgain();
            if (code.isPresent()) {
                System.exit(code.getAsInt());
            }
            String first = List.of(args) + " " + System.getProperty("mark") + "\n";
            System.out.write(first.getBytes(StandardCharsets.UTF_8));
            System.out.flush();
            if (args[0].equals("sleep")) {
                Thread.sleep(60_000);
            }
            try (AttentionEngine engine = AttentionEngine.open(args[0])) {
                System.out.println(7 / zero + engine.info().id());
            } catch (ArithmeticException e) {
                System.out.println(e);
            }
            if (Files.readString(Path.of("/proc/self/maps")).contains("libjsig.so")) {
                System.out.println("libjsig is there");
            }
            System.out.println("threads " + System.getenv(PoclThreads.AFFINITY));
            System.exit(7);
        }
    }
}
