package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a caller forgets to close is freed once nobody can reach it, and nothing before that. */
class ForgottenTest {
    private static final long MEBIBYTE = 1 << 20;

    @TempDir
    private Path directory;

    static List<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    private static void eventually(BooleanSupplier wanted) throws InterruptedException {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!wanted.getAsBoolean() && System.nanoTime() < until) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertThat(wanted.getAsBoolean()).as(Handle::report).isTrue();
    }

    /** Uploads and results of device tensors, many times as large together as what the engine may take. */
    @ParameterizedTest
    @MethodSource("devices")
    void forgottenTensorsMakeRoom(EngineInfo info) {
        Tensor host = Tensor.random(1, 1, 4, 256, 256);
        try (AttentionEngine engine =
                Engines.open(info.id(), TestEngines.options().withMaxDeviceBytes(12 * MEBIBYTE))) {
            float[] attended;
            try (AttentionResult result = engine.attend(host, host, host)) {
                attended = result.output().toFloatArray();
            }
            for (int n = 0; n < 40; n++) {
                // Memory is short while the call is enqueued: what it reads itself must not be taken to be forgotten.
                Tensor output = engine.attend(engine.upload(host), engine.upload(host), engine.upload(host))
                        .output();
                assertThat(output.isOnHost()).isFalse();
                assertThat(output.toFloatArray()).isEqualTo(attended);
            }
            // A call that takes no device tensor finds the room that forgotten ones have left.
            for (int n = 0; n < 12; n++) {
                engine.upload(host);
            }
            try (AttentionResult result = engine.attend(host, host, host)) {
                assertThat(result.output().toFloatArray()).isEqualTo(attended);
            }
            // What can be reached is not freed.
            List<Tensor> kept = new ArrayList<>();
            assertThatExceptionOfType(DeviceException.class).isThrownBy(() -> {
                while (true) {
                    kept.add(engine.upload(host));
                }
            });
            assertThat(kept).hasSizeBetween(8, 12);
            float[] expected = host.toFloatArray();
            assertThat(kept).allSatisfy(one -> assertThat(one.toFloatArray()).isEqualTo(expected));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aForgottenLayersWeightsAreFreed(EngineInfo info) throws InterruptedException {
        try (AttentionEngine engine = TestEngines.open(info)) {
            OpenClEngine openCl = (OpenClEngine) engine;
            Tensor input = Tensor.random(1, 1, 5, 12);
            MultiHeadAttention.builder().heads(2).keyDim(8).build(engine).call(input, input);
            eventually(() -> openCl.tensors().count() == 0);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aForgottenEngineIsClosed(EngineInfo info) throws InterruptedException {
        Tensor host = Tensor.random(1, 1, 2, 16, 16);
        for (int n = 0; n < 3; n++) {
            AttentionEngine engine = TestEngines.open(info);
            Tensor there = engine.upload(host);
            engine.attend(there, there, there);
            engine.attendAsync(host, host, host, Attention.DEFAULT).join().close();
        }
        eventually(() -> Handle.live() == 0);
    }

    /** A result on the device keeps its engine, whoever has forgotten that. */
    @ParameterizedTest
    @MethodSource("devices")
    void whatIsHeldIsNotFreed(EngineInfo info) throws Exception {
        Tensor host = Tensor.random(1, 1, 2, 16, 16);
        Tensor there = TestEngines.open(info).upload(host);
        for (int n = 0; n < 5; n++) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(10);
        }
        assertThat(there.toFloatArray()).isEqualTo(host.toFloatArray());
        there.memory().engine().close();
        assertThat(there.isClosed()).isTrue();
    }

    /** Tensors that only the call can reach, while the collector runs all the time and others take what is freed. */
    @ParameterizedTest
    @MethodSource("devices")
    void whatACallReadsIsNotFreedUnderIt(EngineInfo info) throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        Thread collector = new Thread(() -> {
            while (!stop.get()) {
                System.gc();
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
            }
        });
        Tensor[] hosts = {Tensor.random(1, 1, 2, 100, 64), Tensor.random(2, 1, 2, 100, 64)};
        float[][] expected = new float[2][];
        try (AttentionEngine engine = TestEngines.open(info)) {
            for (int n = 0; n < 2; n++) {
                try (AttentionResult result = engine.attend(hosts[n], hosts[n], hosts[n])) {
                    expected[n] = result.output().toFloatArray();
                }
            }
            collector.start();
            for (int round = 0; round < 6; round++) {
                List<CompletableFuture<AttentionResult>> results = new ArrayList<>();
                for (int n = 0; n < 6; n++) {
                    Tensor host = hosts[n % 2];
                    results.add(engine.attendAsync(host, engine.upload(host), engine.upload(host), Attention.DEFAULT));
                }
                for (int n = 0; n < 6; n++) {
                    try (AttentionResult result = results.get(n).get(60, TimeUnit.SECONDS)) {
                        assertThat(result.output().toFloatArray()).isEqualTo(expected[n % 2]);
                    }
                }
            }
        } finally {
            stop.set(true);
            collector.join();
        }
    }

    /** Forgets a tensor, five times, and an engine. */
    static final class Forgetting {
        private Forgetting() {}

        /**
         * The program.
         *
         * @param arguments the id of an engine
         */
        public static void main(String[] arguments) throws InterruptedException {
            forgetThem(arguments[0]);
            for (int n = 0; n < 100 && Handle.live() > 0; n++) {
                System.gc();
                TimeUnit.MILLISECONDS.sleep(20);
            }
            System.out.println(Handle.live() + " handles");
        }

        private static void forgetThem(String id) throws InterruptedException {
            AttentionEngine engine = AttentionEngine.open(id, TestEngines.options());
            try {
                for (int n = 0; n < 5; n++) {
                    engine.upload(Tensor.random(1, 1, 1, 8, 8));
                }
                // An engine that is found first frees its tensors without a word.
                for (int n = 0; n < 10; n++) {
                    System.gc();
                    TimeUnit.MILLISECONDS.sleep(20);
                }
            } finally {
                Reference.reachabilityFence(engine);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aWarningSaysWhatWasForgottenAndOnDemandWhere(boolean traced) throws IOException, InterruptedException {
        String printed = new ChildJvm(Forgetting.class)
                .options(
                        "-Dattention4j.handles.trace=" + traced,
                        "-Dorg.slf4j.simpleLogger.logFile=System.out",
                        "-XX:TieredStopAtLevel=1")
                .run(directory, devices().get(0).id());
        assertThat(printed).contains("0 handles");
        List<String> warnings = printed.lines()
                .filter(line -> line.contains("was never closed"))
                .toList();
        assertThat(warnings).hasSize(traced ? 6 : 2).anyMatch(line -> line.contains("An engine was never closed"));
        assertThat(warnings).anyMatch(line -> line.contains("A tensor on a device was never closed"));
        if (traced) {
            assertThat(printed).contains("it was made here", "ForgottenTest$Forgetting.forgetThem");
        } else {
            assertThat(warnings).allMatch(line -> line.contains("-Dattention4j.handles.trace=true"));
        }
    }

    /** Closes all that it makes, in a JVM that may not ask for the garbage collector. */
    static final class Closing {
        private Closing() {}

        /**
         * The program.
         *
         * @param arguments the id of an engine
         */
        public static void main(String[] arguments) {
            try (AttentionEngine engine = AttentionEngine.open(arguments[0], TestEngines.options())) {
                for (int n = 0; n < 60; n++) {
                    try (Tensor query = Tensor.random(n, 1, 4, 256, 64);
                            Tensor key = Tensor.random(n + 1, 1, 4, 256, 64);
                            AttentionResult result = engine.attend(query, key, key)) {
                        // Seen from outside, a result's memory is not used again.
                        result.output().floats();
                    }
                }
            }
            System.out.println("60 calls");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"-XX:+UseG1GC", "-XX:+UseSerialGC", "-XX:+UseParallelGC"})
    void closedHostTensorsAreFreedWhereTheCollectorMayNotBeAskedFor(String collector)
            throws IOException, InterruptedException {
        assertThat(new ChildJvm(Closing.class)
                        .options(collector, "-Xmx128m", "-XX:MaxDirectMemorySize=8m", "-XX:+DisableExplicitGC")
                        .run(directory, "opencl:0"))
                .contains("60 calls");
    }

    @Test
    void anEngineThatComputesInJavaLeavesNoThreads() throws InterruptedException {
        Tensor host = Tensor.random(1, 1, 8, 64, 64);
        AttentionEngine engine = Engines.open("cpu", TestEngines.options().withThreads(3));
        engine.attend(host, host, host).close();
        assertThat(Thread.getAllStackTraces().keySet())
                .anyMatch(thread -> thread.getName().startsWith("attention4j cpu"));
        engine.close();
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (helpersLive() && System.nanoTime() < until) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertThat(helpersLive()).isFalse();
    }

    private static boolean helpersLive() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().startsWith("attention4j cpu"));
    }
}
