package dev.attention4j.bench.jmh;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * From the start of a program to its first result: a JVM of its own for each measurement, the JVM's start included.
 * {@link #nothing} is what is to be taken off for the JVM alone.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 5)
public class StartBenchmark {
    /** The places where drivers keep compiled kernels: PoCL, NVIDIA, Intel, Mesa. */
    private static final List<String> DRIVER_CACHES =
            List.of("POCL_CACHE_DIR", "CUDA_CACHE_PATH", "NEO_CACHE_DIR", "MESA_SHADER_CACHE_DIR");

    /** As {@code --device} of the command line takes it. */
    @Param({"best", "cpu"})
    public String engine;

    private Path directory;
    private Path cold;
    private int starts;

    /** Fills a cache. */
    @Setup(Level.Trial)
    public void fill() throws IOException {
        directory = Files.createTempDirectory("attention4j-start");
        start(engine, directory.resolve("warm"));
    }

    /** Another empty cache for each start. */
    @Setup(Level.Invocation)
    public void empty() {
        cold = directory.resolve("cold" + starts++);
    }

    /** Deletes the caches. */
    @TearDown(Level.Trial)
    public void delete() throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** No kernel has been compiled before, neither by the library nor by the driver. */
    @Benchmark
    public void cold() throws IOException {
        start(engine, cold);
    }

    /** The same program has run before. */
    @Benchmark
    public void warm() throws IOException {
        start(engine, directory.resolve("warm"));
    }

    /** A JVM that makes the tensors and ends. */
    @Benchmark
    public void nothing() throws IOException {
        start(FirstCall.NOTHING, directory.resolve("warm"));
    }

    private static void start(String engine, Path caches) throws IOException {
        Path library = Files.createDirectories(caches).resolve("library");
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Dattention4j.cache.dir=" + library,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                FirstCall.class.getName(),
                engine);
        Map<String, String> environment = builder.environment();
        for (String variable : DRIVER_CACHES) {
            environment.put(
                    variable, Files.createDirectories(caches.resolve(variable)).toString());
        }
        Process process = builder.inheritIO().start();
        try {
            if (process.waitFor() != 0) {
                throw new IllegalStateException("the program ended with " + process.exitValue());
            }
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }
}
