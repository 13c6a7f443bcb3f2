package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every engine refuses what makes no sense, and says which argument, what it was and what it must be. */
class BadInputTest {
    private static final long[] SHAPE = {2, 4, 5, 8};

    static List<EngineInfo> engines() {
        TestEngines.openCl();
        return Engines.list();
    }

    private static Tensor tensor(long... shape) {
        return Tensor.random(1, shape);
    }

    private static void refused(
            AttentionEngine engine, Tensor query, Tensor key, Tensor value, Attention attention, String... words) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> engine.attend(query, key, value, attention))
                .satisfies(e -> assertThat(e.getMessage()).contains(words));
        assertThatIllegalArgumentException().isThrownBy(() -> engine.attendAsync(query, key, value, attention));
    }

    @ParameterizedTest
    @MethodSource("engines")
    void shapesThatDoNotFit(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            Tensor good = tensor(SHAPE);
            Attention plain = Attention.DEFAULT;
            refused(
                    engine,
                    tensor(4, 5, 8),
                    good,
                    good,
                    plain,
                    "query",
                    "[4, 5, 8]",
                    "[batch, heads, length, headDim]");
            refused(engine, good, tensor(8), good, plain, "key", "must have 4 axes");
            refused(engine, good, tensor(1, 4, 5, 8), good, plain, "key: batch 1, must be 2");
            refused(engine, good, good, tensor(2, 4, 6, 8), plain, "value: length 6, must be 5");
            refused(engine, good, good, tensor(2, 2, 5, 8), plain, "value: heads 2, must be 4");
            refused(engine, good, tensor(2, 4, 5, 7), good, plain, "key: headDim 7, must be 8");
            refused(engine, good, tensor(2, 3, 5, 8), tensor(2, 3, 5, 8), plain, "query: 4 heads", "multiple of the 3");
            refused(
                    engine,
                    good.permute(0, 2, 1, 3).contiguous(),
                    tensor(2, 6, 4, 8),
                    tensor(2, 6, 4, 8),
                    plain,
                    "read as [batch, heads, length, width], permute(0, 2, 1, 3) reads");
            refused(engine, tensor(2, 4, 5, 0), tensor(2, 4, 5, 0), good, plain, "head dim: 0, must be 1 or more");
            refused(engine, tensor(2, 0, 5, 8), good, good, plain, "query heads: 0, must be 1 or more");
            refused(engine, good, good.to(DType.INT64), good, plain, "key: type INT64, must be FLOAT32");
            Tensor doubles = good.to(DType.FLOAT64);
            refused(engine, doubles, doubles, doubles, plain, "query: type FLOAT64", "BFLOAT16");
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void optionsThatDoNotFit(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            Tensor good = tensor(SHAPE);
            Attention mask =
                    Attention.builder().mask(Tensor.zeros(DType.BOOL, 5, 6)).build();
            refused(engine, good, good, good, mask, "mask: shape [5, 6]", "[2, 4, 5, 5]");
            Attention padding =
                    Attention.builder().mask(Tensor.zeros(DType.BOOL, 2, 5)).build();
            refused(engine, good.slice(2, 0, 3), good, good, padding, "keyLength] broadcasts as reshape(2, 1, 1, 5)");
            Attention square =
                    Attention.builder().mask(Tensor.zeros(DType.BOOL, 2, 5, 5)).build();
            refused(engine, good, good, good, square, "keyLength] broadcasts as reshape(2, 1, 5, 5)");
            Attention bias = Attention.builder().bias(tensor(3, 1, 1, 1)).build();
            refused(engine, good, good, good, bias, "bias: shape [3, 1, 1, 1]");
            Attention offsets = Attention.builder().causalOffsets(1, 2, 3).build();
            refused(engine, good, good, good, offsets, "offsets: 3 given, must be 1 or one for each of the 2");
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void lengthsSlopesAndSinksThatDoNotFit(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            Tensor good = tensor(SHAPE);
            Tensor one = tensor(1, 4, 5, 8);
            AttentionBuilder builder = Attention.builder();
            refused(
                    engine,
                    good,
                    good,
                    good,
                    builder.keyLengths(1, 2, 3).build(),
                    "keyLengths: 3 given, must be 1 or one for each of the 2 batch rows");
            refused(
                    engine,
                    good,
                    good,
                    good,
                    builder.keyLengths(5, 6).build(),
                    "keyLengths: 6, must be at most the 5 keys there are");
            builder.keyLengths();
            refused(
                    engine,
                    good,
                    good,
                    good,
                    builder.sinks(1, 2).build(),
                    "sinks: 2 given, must be one for each of the 4 query heads");
            builder.sinks();
            refused(
                    engine,
                    good,
                    good,
                    good,
                    builder.alibiSlopes(1, 2, 3).build(),
                    "alibiSlopes: 3 given, must be one for each of the 4 query heads, or for each of them in each of"
                            + " the 2 batch rows");
            builder.alibiSlopes();

            int[] ends = {0, 2, 5};
            builder.cumulativeLengths(ends, ends);
            refused(
                    engine,
                    good,
                    good,
                    good,
                    builder.build(),
                    "cumulativeLengths: given with 2 batch rows, must be 1 that holds all sequences");
            refused(
                    engine,
                    one,
                    one,
                    one,
                    builder.cumulativeLengths(new int[] {0, 2, 4}, ends).build(),
                    "cumulativeLengths: queries end at 4, must end at 5, the length of query");
            refused(
                    engine,
                    one,
                    one,
                    one,
                    builder.cumulativeLengths(ends, new int[] {0, 2, 6}).build(),
                    "cumulativeLengths: keys end at 6, must end at 5, the length of key and value");
            builder.cumulativeLengths(ends, ends);
            refused(
                    engine,
                    one,
                    one,
                    one,
                    builder.keyLengths(5).build(),
                    "keyLengths: given with cumulativeLengths, must be left out");
            builder.keyLengths();
            refused(
                    engine,
                    one,
                    one,
                    one,
                    builder.causalOffsets(1, 2, 3).build(),
                    "offsets: 3 given, must be 1 or one for each of the 2 packed sequences");
            builder.causal(Alignment.TOP_LEFT);
            refused(
                    engine,
                    one,
                    one,
                    one,
                    builder.alibiSlopes(1, 2).build(),
                    "alibiSlopes: 2 given, must be one for each of the 4 query heads",
                    "2 packed sequences");
        }
    }

    @ParameterizedTest
    @MethodSource("engines")
    void whatIsClosed(EngineInfo info) {
        AttentionEngine engine = TestEngines.open(info);
        Tensor good = tensor(SHAPE);
        Tensor closed = tensor(SHAPE);
        closed.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.attend(good, closed, good))
                .withMessageContaining("key: the tensor is closed");
        Tensor mask = Tensor.zeros(DType.BOOL, 1);
        Attention masked = Attention.builder().mask(mask).build();
        mask.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.attend(good, good, good, masked))
                .withMessageContaining("mask: the tensor is closed");
        engine.close();
        engine.close();
        assertThat(engine.isClosed()).isTrue();
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.attend(good, good, good))
                .withMessageContaining("is closed");
        assertThatIllegalStateException().isThrownBy(() -> engine.upload(good)).withMessageContaining("is closed");
        assertThatIllegalStateException()
                .isThrownBy(() -> engine.download(good))
                .withMessageContaining("is closed");
    }

    @ParameterizedTest
    @MethodSource("engines")
    void aPlanThatIsNotThere(EngineInfo info) {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        AttentionEngine.open(info.id(), TestEngines.options().withPlan("guess")))
                .withMessageContaining("plan: \"guess\", must be");
    }

    @Test
    void optionsThatMakeNoSenseByThemselves() {
        AttentionBuilder builder = Attention.builder();
        for (double scale : new double[] {Double.NaN, Double.POSITIVE_INFINITY, 1e300}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.scale(scale))
                    .withMessageContaining("scale: " + scale);
        }
        for (double cap : new double[] {Double.NaN, 0, -1, Double.POSITIVE_INFINITY, 1e-300}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.softcap(cap))
                    .withMessageContaining("softcap: " + cap);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.window(-2, 0))
                .withMessageContaining("left -2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.alignOffsets())
                .withMessageContaining("none given");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.causalOffsets(Integer.MIN_VALUE))
                .withMessageContaining("offsets: -2147483648");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.mask(tensor(2, 2)))
                .withMessageContaining("mask: type FLOAT32, must be BOOL");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.bias(Tensor.zeros(DType.BOOL, 2)))
                .withMessageContaining("bias: type BOOL");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.bias(tensor(1, 1, 1, 1, 1)))
                .withMessageContaining("at most 4 axes");
        assertThatIllegalArgumentException().isThrownBy(() -> EngineOptions.DEFAULT.withThreads(-1));
        assertThatIllegalArgumentException().isThrownBy(() -> EngineOptions.DEFAULT.withMaxScratchBytes(-1));
    }

    @Test
    void lengthsSlopesAndSinksThatMakeNoSenseByThemselves() {
        AttentionBuilder builder = Attention.builder();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.keyLengths(3, -1))
                .withMessageContaining("keyLengths: -1, must be 0 or more");
        int[] good = {0, 2, 5};
        for (int[] bad : new int[][] {{}, {0}, {1, 5}, {0, 3, 2}}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.cumulativeLengths(bad, good))
                    .withMessageContaining(
                            "cumulativeLengths: queries " + Arrays.toString(bad) + ", must be sequences");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.cumulativeLengths(good, bad))
                    .withMessageContaining("cumulativeLengths: keys " + Arrays.toString(bad) + ", must be sequences");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.cumulativeLengths(good, new int[] {0, 5}))
                .withMessageContaining(
                        "cumulativeLengths: 3 numbers for queries and 2 for keys, must be sequences + 1");
        for (float slope : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.alibiSlopes(1, slope))
                    .withMessageContaining("alibiSlopes: " + slope + ", must be finite");
        }
        for (float logit : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.sinks(logit))
                    .withMessageContaining("sinks: " + logit + ", must be finite or -infinity");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionBuilder.geometricSlopes(0))
                .withMessageContaining("queryHeads: 0, must be 1 or more");
    }

    @Test
    void weightsThatWereNotAskedFor() {
        try (AttentionEngine engine = AttentionEngine.open("cpu")) {
            AttentionResult result = engine.attend(tensor(SHAPE), tensor(SHAPE), tensor(SHAPE));
            assertThatIllegalStateException()
                    .isThrownBy(result::weights)
                    .withMessageContaining("Attention.builder().weights(true)");
            assertThatIllegalStateException().isThrownBy(result::logSumExp);
        }
    }
}
