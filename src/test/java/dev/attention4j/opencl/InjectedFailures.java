package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.FailingCalls;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.testing.TestEngines;
import java.io.ByteArrayOutputStream;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionException;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Whatever call to OpenCL fails, at whatever point: the error says which, nothing is left behind, and the next call on
 * the same engine is right.
 */
abstract class InjectedFailures {
    final Tensor query = Tensor.random(1, 2, 4, 9, 16);
    final Tensor key = Tensor.random(2, 2, 2, 21, 16);
    final Tensor value = Tensor.random(3, 2, 2, 21, 13);

    /** Every tensor that a call can bring. */
    final Attention everything = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .keyLengths(21, 17)
            .mask(Tensor.of(new boolean[21], 21))
            .bias(Tensor.random(4, 4, 1, 21))
            .alibiSlopes(0.1f, 0.2f, 0.3f, 0.4f)
            .sinks(1, 2, 3, 4)
            .logSumExp(true)
            .build();

    /** Emulators take tenths of a second for a call, of which each failure needs two. */
    private static final int STRIDE_ON_EMULATOR = 7;

    static Iterable<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    static OpenClEngine open(EngineInfo info, EngineOptions options) {
        return (OpenClEngine) AttentionEngine.open(info.id(), options);
    }

    static EngineOptions plan(String name) {
        return TestEngines.options().withPlan(name);
    }

    static byte[] bytes(Tensor... tensors) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (Tensor tensor : tensors) {
            byte[] bytes = new byte[(int) tensor.byteSize()];
            tensor.contiguous().bytes().get(bytes);
            all.writeBytes(bytes);
        }
        return all.toByteArray();
    }

    final byte[] call(AttentionEngine engine, Attention attention) {
        try (AttentionResult result = engine.attend(query, key, value, attention)) {
            return attention.wantsWeights()
                    ? bytes(result.output(), result.logSumExp(), result.weights())
                    : bytes(result.output(), result.logSumExp());
        }
    }

    /** Fails each call to OpenCL once, with all kernels built. */
    static Set<String> failEachOnce(OpenClEngine engine, Supplier<byte[]> call) {
        byte[] expected = call.get();
        Set<String> struck = new TreeSet<>();
        int stride = engine.info().kind() == EngineInfo.Kind.EMULATOR ? STRIDE_ON_EMULATOR : 1;
        for (int n = 1; ; n += stride) {
            String failed = failOnce(engine, n, name -> true, expected, call);
            if (failed.isEmpty()) {
                assertThat(n).as("calls, and one more").isGreaterThan(10);
                System.out.println("faults: " + engine.info().name() + ": " + (n - 1) / stride
                        + " failures injected, none left anything behind");
                return struck;
            }
            struck.add(failed);
        }
    }

    /** Runs a call of whose calls to OpenCL the n-th fails, and once more with none; empty if it has not so many. */
    static String failOnce(
            OpenClEngine engine, int n, Predicate<String> counted, byte[] expected, Supplier<byte[]> call) {
        long inUse = engine.context().pool().bytesInUse();
        long alive = aliveBesideIdle(engine);
        String failed;
        try (FailingCalls failing = FailingCalls.nth(n, counted)) {
            try {
                // Some failures there is a way around: a build is made anew, memory that is idle is given back.
                assertThat(call.get()).isEqualTo(expected);
            } catch (DeviceException e) {
                checkSaysWhatFailed(e, failing.struck());
            } catch (CompletionException e) {
                assertThat(e).hasCauseInstanceOf(DeviceException.class);
                checkSaysWhatFailed((DeviceException) e.getCause(), failing.struck());
            }
            failed = failing.struck();
        }
        String where = "call " + n + ", " + failed;
        assertThat(engine.context().pool().bytesInUse())
                .as("bytes of the pool after the failure of " + where)
                .isEqualTo(inUse);
        assertThat(countsKernels(counted) || aliveBesideIdle(engine) == alive)
                .as(() -> "handles after the failure of " + where + ", were " + alive + "\n" + Handle.report())
                .isTrue();
        assertThat(call.get()).as("after the failure of " + where).isEqualTo(expected);
        return failed;
    }

    /** What was built stays for the next call. */
    private static boolean countsKernels(Predicate<String> counted) {
        return !counted.test("clWaitForEvents");
    }

    private static long aliveBesideIdle(OpenClEngine engine) {
        engine.context().pool().close();
        return Handle.live();
    }

    static void checkSaysWhatFailed(DeviceException error, String failed) {
        assertThat(error.getMessage())
                .contains(failed.replaceFirst("[( ].*", ""))
                .contains(FailingCalls.CODE);
    }
}
