package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionResult;
import dev.attention4j.BlockMask;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.GradientOptions;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionInputs;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.onnx.QkMatmulOutput;
import dev.attention4j.opencl.runtime.FailingCalls;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.testing.TestEngines;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever call to OpenCL fails, at whatever point: the error says which, nothing is left behind, and the next call on
 * the same engine is right.
 */
class InjectedFailuresTest {
    private final Tensor query = Tensor.random(1, 2, 4, 9, 16);
    private final Tensor key = Tensor.random(2, 2, 2, 21, 16);
    private final Tensor value = Tensor.random(3, 2, 2, 21, 13);

    /** Every tensor that a call can bring. */
    private final Attention everything = Attention.builder()
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

    private static OpenClEngine open(EngineInfo info, EngineOptions options) {
        return (OpenClEngine) AttentionEngine.open(info.id(), options);
    }

    private static EngineOptions plan(String name) {
        return TestEngines.options().withPlan(name);
    }

    private static byte[] bytes(Tensor... tensors) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (Tensor tensor : tensors) {
            byte[] bytes = new byte[(int) tensor.byteSize()];
            tensor.contiguous().bytes().get(bytes);
            all.writeBytes(bytes);
        }
        return all.toByteArray();
    }

    private byte[] call(AttentionEngine engine, Attention attention) {
        try (AttentionResult result = engine.attend(query, key, value, attention)) {
            return attention.wantsWeights()
                    ? bytes(result.output(), result.logSumExp(), result.weights())
                    : bytes(result.output(), result.logSumExp());
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheStagedPlan(EngineInfo info) {
        Attention weights = everything.toBuilder().weights(true).build();
        try (OpenClEngine engine = open(info, plan("staged"))) {
            Set<String> struck = failEachOnce(engine, () -> call(engine, weights));
            if (info.kind() == EngineInfo.Kind.EMULATOR) {
                assertThat(struck).contains("clSetKernelArg");
                return;
            }
            assertThat(struck)
                    .contains("clSetKernelArg", "clEnqueueNDRangeKernel", "clFlush", "clWaitForEvents")
                    .anyMatch(name -> name.startsWith("clCreateBuffer"));
            if (!engine.context().sharesHostMemory()) {
                assertThat(struck)
                        .contains("clEnqueueWriteBuffer", "clEnqueueReadBuffer", "clEnqueueMarkerWithWaitList");
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheRowsPlan(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallOfTheTilesPlan(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("tiles"))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    /** A table of hidden blocks is found, kept while there is memory, and goes with the engine. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCallWithABlockMask(EngineInfo info) {
        Tensor keys = Tensor.random(5, 1, 1, 400, 4);
        Tensor queries = Tensor.random(6, 1, 1, 24, 4);
        boolean[] attends = new boolean[24 * 400];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % 400 / 50 == n / 400 % 8;
        }
        Tensor mask = Tensor.of(attends, 24, 400);
        try (OpenClEngine engine = open(info, plan("rows"))) {
            if (engine.context().device().quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
                assertThatThrownBy(() -> engine.attend(queries, keys, keys)).hasMessageContaining("(a bug)");
                return;
            }
            failEachOnce(engine, () -> {
                Attention attention =
                        Attention.builder().blockMask(BlockMask.of(mask)).build();
                try (AttentionResult first = engine.attend(queries, keys, keys, attention);
                        AttentionResult again = engine.attend(queries, keys, keys, attention)) {
                    assertThat(bytes(again.output())).isEqualTo(bytes(first.output()));
                    return bytes(first.output());
                }
            });
        }
        assertThat(Handle.live()).as(Handle::report).isZero();
    }

    /** The gradients of a call that has been made. */
    @ParameterizedTest
    @MethodSource("devices")
    void gradientsOfACall(EngineInfo info) {
        GradientOptions all = GradientOptions.DEFAULT
                .withBias()
                .withSinks()
                .withAlibiSlopes()
                .withLogSumExpGradient(Tensor.random(8, 2, 4, 9));
        Tensor outputGradient = Tensor.random(7, 2, 4, 9, 13);
        try (OpenClEngine engine = open(info, plan("rows"));
                AttentionResult result = engine.attend(query, key, value, everything)) {
            failEachOnce(engine, () -> {
                try (AttentionGradients gradients =
                        engine.gradients(query, key, value, everything, result, outputGradient, all)) {
                    return bytes(
                            gradients.query(),
                            gradients.key(),
                            gradients.value(),
                            gradients.bias(),
                            gradients.sinks(),
                            gradients.alibiSlopes());
                }
            });
        }
    }

    /** One query over enough keys that they are split over work-groups and merged. */
    @ParameterizedTest
    @MethodSource("devices")
    void aStepOfDecodingInSplits(EngineInfo info) {
        Tensor one = Tensor.random(5, 1, 1, 1, 4);
        Tensor keys = Tensor.random(6, 1, 1, 1100, 4);
        try (OpenClEngine engine = open(info, plan("decode"))) {
            if (engine.context().device().quirks().has(Quirks.Quirk.LOOP_LIMIT)) {
                assertThatThrownBy(() -> engine.attend(one, keys, keys)).hasMessageContaining("(a bug)");
                return;
            }
            failEachOnce(engine, () -> {
                try (AttentionResult result = engine.attend(one, keys, keys)) {
                    return bytes(result.output());
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallInSlices(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows").withMaxDeviceBytes(16_000))) {
            failEachOnce(engine, () -> call(engine, everything));
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aCallThatDoesNotWait(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> {
                try (AttentionResult result =
                        engine.attendAsync(query, key, value, everything).join()) {
                    return bytes(result.output(), result.logSumExp());
                }
            });
        }
    }

    /** What a caller hangs on the future of a call that fails runs beside the engine's threads. */
    @ParameterizedTest
    @MethodSource("devices")
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void afterACallThatDoesNotWaitTheNextMayBeWaitedFor(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            byte[] expected = call(engine, everything);
            try (FailingCalls failing = FailingCalls.nth(1, name -> name.equals("clWaitForEvents") && isLateEnough());
                    AttentionResult again = engine.attendAsync(query, key, value, everything)
                            .exceptionally(failure -> engine.attendAsync(query, key, value, everything)
                                    .join())
                            .join()) {
                assertThat(failing.struck()).isEqualTo("clWaitForEvents");
                assertThat(bytes(again.output(), again.logSumExp())).isEqualTo(expected);
            }
        }
    }

    /** Not before the caller has hung something on the future. */
    private static boolean isLateEnough() {
        try {
            Thread.sleep(200);
            return true;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void tensorsThatGoThereAndComeBack(EngineInfo info) {
        try (OpenClEngine engine = open(info, plan("rows"))) {
            failEachOnce(engine, () -> {
                try (Tensor queryThere = engine.upload(query);
                        Tensor keyThere = engine.upload(key);
                        Tensor valueThere = engine.upload(value);
                        AttentionResult result = engine.attend(queryThere, keyThere, valueThere, everything);
                        Tensor output = engine.download(result.output())) {
                    return bytes(output, result.logSumExp());
                }
            });
        }
    }

    /** An append and an append with attention; after each failure the cache is as it was before the call. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCacheThatGrows(EngineInfo info) {
        CacheShape shape = CacheShape.of(2, 2, 24, 16).withValueDim(13);
        try (OpenClEngine engine = open(info, plan("decode"));
                KeyValueCache cache = KeyValueCache.open(engine, shape)) {
            grow(engine, cache);
        }
        RotaryEmbedding rotary = RotaryEmbedding.builder(16, 24).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                KeyValueCache cache = KeyValueCache.open(engine, shape.withTypes(DType.Q8_0, DType.Q4_0), rotary)) {
            grow(engine, cache);
        }
    }

    private void grow(OpenClEngine engine, KeyValueCache cache) {
        Attention plain = Attention.builder().logSumExp(true).build();
        failEachOnce(engine, () -> {
            int[] before = cache.lengths();
            try {
                cache.append(key, value, 21, 17);
                before = cache.lengths();
                try (AttentionResult result = cache.attend(query, key.slice(2, 0, 1), value.slice(2, 0, 1), plain)) {
                    assertThat(cache.lengths()).containsExactly(22, 18);
                    return bytes(result.output(), result.logSumExp());
                }
            } catch (DeviceException e) {
                assertThat(cache.lengths()).as("after " + e.getMessage()).isEqualTo(before);
                throw e;
            } finally {
                cache.clear();
            }
        });
    }

    /** Tables, and heads from host and device that come back turned. */
    @ParameterizedTest
    @MethodSource("devices")
    void headsThatTurn(EngineInfo info) {
        RotaryEmbedding rotary = RotaryEmbedding.builder(16, 24).build();
        CacheShape shape = CacheShape.of(2, 2, 24, 16);
        try (OpenClEngine engine = open(info, plan("decode"))) {
            failEachOnce(engine, () -> {
                try (KeyValueCache cache = KeyValueCache.open(engine, shape, rotary);
                        Tensor there = engine.upload(key);
                        Tensor turned = engine.rotate(there, rotary, 1, 0);
                        Tensor back = engine.download(turned)) {
                    assertThat(cache.lengths()).containsOnly(0);
                    return bytes(back, engine.rotate(key, rotary, 2, 3));
                }
            });
        }
    }

    /** One part on the device and one on the host. */
    @ParameterizedTest
    @MethodSource("devices")
    void resultsThatAreMerged(EngineInfo info) {
        Attention plain = Attention.builder().logSumExp(true).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                Tensor queryThere = engine.upload(query);
                AttentionResult there = engine.attend(queryThere, key, value, plain);
                AttentionResult here = engine.attend(query, key, value, everything)) {
            failEachOnce(engine, () -> {
                try (AttentionResult merged = engine.merge(List.of(here, there));
                        AttentionResult mergedThere = engine.merge(List.of(there, here));
                        Tensor output = engine.download(mergedThere.output())) {
                    return bytes(merged.output(), merged.logSumExp(), output);
                }
            });
        }
    }

    /** Appends, and one with attention, of sequences that share a page; after each failure the cache is as it was before. */
    @ParameterizedTest
    @MethodSource("devices")
    void aCacheOfPages(EngineInfo info) {
        Attention plain = Attention.builder().logSumExp(true).build();
        try (OpenClEngine engine = open(info, plan("decode"));
                PagedKeyValueCache cache = PagedKeyValueCache.open(
                        engine,
                        CacheShape.of(2, 2, 48, 16).withValueDim(13).withTypes(DType.Q4_0, DType.FLOAT16),
                        16)) {
            failEachOnce(engine, () -> {
                int first = cache.newSequence();
                int second = -1;
                int before = cache.freePages();
                int length = 0;
                try {
                    cache.append(new int[] {first}, key.slice(0, 0, 1), value.slice(0, 0, 1), 21);
                    second = cache.fork(first);
                    before = cache.freePages();
                    length = 21;
                    try (AttentionResult result = cache.attend(
                            new int[] {first, second}, query, key.slice(2, 0, 1), value.slice(2, 0, 1), plain)) {
                        length = 22;
                        before = 3;
                        assertThat(cache.length(second)).isEqualTo(22);
                        return bytes(result.output(), result.logSumExp());
                    }
                } catch (DeviceException e) {
                    assertThat(cache.length(first))
                            .as("after " + e.getMessage())
                            .isEqualTo(length);
                    throw e;
                } finally {
                    assertThat(cache.freePages()).isEqualTo(before);
                    cache.free(first);
                    if (second >= 0) {
                        cache.free(second);
                    }
                    assertThat(cache.freePages()).isEqualTo(6);
                }
            });
        }
    }

    /** Projections into heads, attention and the projection of heads, with nothing but the output brought back. */
    @ParameterizedTest
    @MethodSource("devices")
    void aLayersCall(EngineInfo info) {
        Tensor input = Tensor.random(7, 2, 5, 12);
        try (OpenClEngine engine = open(info, plan("rows"));
                MultiHeadAttention layer =
                        MultiHeadAttention.builder().heads(2).keyDim(16).seed(1).build(engine)) {
            failEachOnce(engine, () -> {
                try (Tensor output = layer.call(input, input, input)) {
                    return bytes(output);
                }
            });
        }
    }

    /** Whose axes come back in another order, by way of the host. */
    @ParameterizedTest
    @MethodSource("devices")
    void aLayersCallAlongAnotherAxis(EngineInfo info) {
        Tensor input = Tensor.random(7, 2, 5, 3, 12);
        try (OpenClEngine engine = open(info, plan("rows"));
                MultiHeadAttention layer = MultiHeadAttention.builder()
                        .heads(2)
                        .keyDim(16)
                        .attentionAxes(1)
                        .seed(1)
                        .build(engine)) {
            failEachOnce(engine, () -> {
                try (Tensor there = engine.upload(input);
                        Tensor result = layer.call(there, there, there);
                        Tensor output = engine.download(result)) {
                    return bytes(output);
                }
            });
        }
    }

    /** Whose heads are joined on the host, after the call. */
    @ParameterizedTest
    @MethodSource("devices")
    void anOnnxNode(EngineInfo info) {
        OnnxAttention node = OnnxAttention.builder()
                .qNumHeads(4)
                .kvNumHeads(2)
                .qkMatmulOutput(QkMatmulOutput.WEIGHTS)
                .build();
        Tensor queries = Tensor.random(8, 2, 9, 64);
        Tensor keys = Tensor.random(9, 2, 21, 32);
        try (OpenClEngine engine = open(info, plan("staged"))) {
            failEachOnce(engine, () -> {
                try (Tensor queryThere = engine.upload(queries);
                        Tensor keyThere = engine.upload(keys);
                        OnnxAttentionResult result =
                                node.run(engine, OnnxAttentionInputs.of(queryThere, keyThere, keyThere));
                        Tensor weights = there(engine, result.qkMatmulOutput().orElseThrow())) {
                    return bytes(result.output(), weights);
                }
            });
        }
    }

    private static Tensor there(AttentionEngine engine, Tensor tensor) {
        return tensor.isOnHost() ? tensor : engine.download(tensor);
    }

    /** While kernels are built, for which an engine must be new each time; a build fails alike for all plans. */
    @ParameterizedTest
    @MethodSource("devices")
    void aFirstCall(EngineInfo info) {
        Predicate<String> building =
                name -> name.startsWith("clCreateProgram") || name.startsWith("clBuild") || name.contains("Kernel(");
        byte[] expected;
        try (OpenClEngine engine = open(info, plan("staged"))) {
            expected = call(engine, everything);
        }
        Set<String> struck = new TreeSet<>();
        // An emulator's builds take seconds.
        for (int n = 1; ; n += info.kind() == EngineInfo.Kind.EMULATOR ? 4 : 1) {
            try (OpenClEngine engine = open(info, plan("staged"))) {
                String failed = failOnce(engine, n, building, expected, () -> call(engine, everything));
                if (failed.isEmpty()) {
                    break;
                }
                struck.add(failed);
            }
            assertThat(Handle.live()).as(Handle::report).isZero();
        }
        assertThat(struck).isNotEmpty();
        if (info.kind() != EngineInfo.Kind.EMULATOR) {
            assertThat(struck).contains("clBuildProgram", "clCreateKernel(scores)", "clCreateKernel(weighted_sum)");
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void openingAnEngine(EngineInfo info) {
        Predicate<String> opening = name -> name.startsWith("clCreate");
        for (int n = 1; ; n++) {
            String failed;
            try (FailingCalls failing = FailingCalls.nth(n, opening)) {
                try (AttentionEngine engine = TestEngines.open(info)) {
                    assertThat(failing.struck()).as(engine.toString()).isEmpty();
                } catch (DeviceException e) {
                    checkSaysWhatFailed(e, failing.struck());
                }
                failed = failing.struck();
            }
            assertThat(Handle.live()).as(Handle::report).isZero();
            if (failed.isEmpty()) {
                assertThat(n).as("calls, and one more").isGreaterThan(2);
                return;
            }
        }
    }

    /** Fails each call to OpenCL once, with all kernels built. */
    private static Set<String> failEachOnce(OpenClEngine engine, Supplier<byte[]> call) {
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
    private static String failOnce(
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

    private static void checkSaysWhatFailed(DeviceException error, String failed) {
        assertThat(error.getMessage())
                .contains(failed.replaceFirst("[( ].*", ""))
                .contains(FailingCalls.CODE);
    }
}
