package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.problems.RandomProblem;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.AttentionPlan.Division;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.Yardstick;
import dev.attention4j.spi.Slice;
import dev.attention4j.testing.TestEngines;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Problems that a device has no room for are cut, and nobody sees it by the result. */
class SlicesTest {
    /** Three batch rows of two groups of two heads, so that all boundaries lie between slices somewhere. */
    private static final Shape SHAPE = new Shape(3, 4, 2, 70);

    private static final Shape PACKED = new Shape(1, 4, 2, 70);

    /** Where its sequences begin. */
    private static final int[] PACKED_QUERIES = {0, 5, 5, 37, 70};

    private static final int[] PACKED_KEYS = {0, 11, 13, 13, 41};

    private static final int KEYS = 41;

    private record Shape(int batch, int heads, int keyValueHeads, int queries) {
        long[] of(int axes, int... repeated) {
            long[] shape = {batch, heads, queries, KEYS};
            for (int axis : repeated) {
                shape[axis] = 1;
            }
            return Arrays.copyOfRange(shape, 4 - axes, 4);
        }

        Tensor query() {
            return Tensor.random(1, batch, heads, queries, 12);
        }

        /** As [batch, length, heads, headDim] in memory, so that a head's rows have gaps. */
        Tensor key() {
            return Tensor.random(2, batch, KEYS, keyValueHeads, 12).permute(0, 2, 1, 3);
        }

        Tensor value() {
            return Tensor.random(3, batch, keyValueHeads, KEYS, 9);
        }
    }

    /** How far a problem is cut. */
    private enum Cut {
        BATCH(2, 4, 70),
        GROUPS(1, 2, 70),
        HEADS(1, 1, 70),
        QUERIES(1, 1, 20);

        private final int batchRows;
        private final int heads;
        private final int queries;

        Cut(int batchRows, int heads, int queries) {
            this.batchRows = batchRows;
            this.heads = heads;
            this.queries = queries;
        }

        Slice largest() {
            return new Slice(0, batchRows, 0, heads, 0, queries);
        }

        List<Slice> of(AttentionProblem problem, Division division) {
            return Slices.cut(
                    problem,
                    division,
                    slice -> slice.batchRows() <= batchRows && slice.heads() <= heads && slice.queries() <= queries);
        }

        /** As far as rows that are computed together stay together. */
        List<Slice> whole(AttentionProblem problem, Division division) {
            Slice least = Slices.least(problem, division);
            return Slices.cut(
                    problem,
                    division,
                    slice -> slice.batchRows() <= batchRows
                            && slice.heads() <= Math.max(heads, least.heads())
                            && slice.queries() <= Math.max(queries, least.queries()));
        }
    }

    /** An engine's own choice, computed in slices of the test's choice. */
    private static AttentionResult attend(
            OpenClEngine engine, AttentionProblem problem, Tensor query, Tensor key, Tensor value, List<Slice> slices) {
        return engine.finish(engine.enqueue("slices", transfers -> {
            Workload workload = AttentionCall.workload(problem, query, key, value);
            Planner.Choice<AttentionPlan> choice = engine.planner().choose(Workload.of(problem, false));
            Division division = choice.plan().division(workload, choice.tunables(), 0);
            return new AttentionCall(problem, workload, query, key, value, choice, division, 0)
                    .enqueue(transfers, slices, null);
        }));
    }

    /** A device that cuts loops short refuses what would be wrong. */
    private static boolean isRefusedForItsLoops(OpenClEngine engine, AttentionProblem problem) {
        try {
            engine.explain(problem);
            return false;
        } catch (UnsupportedPlanException e) {
            assertThat(e).hasMessageContaining("(a bug)");
            return true;
        }
    }

    private static Division division(OpenClEngine engine, AttentionProblem problem) {
        Workload workload = Workload.of(problem, false);
        Planner.Choice<AttentionPlan> choice = engine.planner().choose(workload);
        return choice.plan().division(workload, choice.tunables(), 0);
    }

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    private static boolean[] mask(long[] shape, int seed) {
        Random random = new Random(seed);
        boolean[] mask = new boolean[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        for (int n = 0; n < mask.length; n++) {
            mask[n] = random.nextInt(3) > 0;
        }
        return mask;
    }

    private static Tensor maskOf(long... shape) {
        return Tensor.of(mask(shape, 5), shape);
    }

    private static AttentionBuilder options() {
        return Attention.builder().logSumExp(true);
    }

    /** Each option whose meaning depends on the batch row, head or query. */
    private static Map<String, Attention> each() {
        Map<String, Attention> each = new LinkedHashMap<>();
        each.put("plain", options().build());
        each.put(
                "causal, first query at first key",
                options().causal(Alignment.TOP_LEFT).build());
        each.put(
                "causal, last at last", options().causal(Alignment.BOTTOM_RIGHT).build());
        each.put("an offset each", options().causalOffsets(3, -20, 17).build());
        each.put("an offset for all", options().causalOffsets(-7).build());
        each.put(
                "a window", options().window(9, 4).align(Alignment.BOTTOM_RIGHT).build());
        each.put("key lengths", options().keyLengths(41, 0, 13).build());
        each.put(
                "key lengths and last at last",
                options().keyLengths(41, 5, 13).causal(Alignment.BOTTOM_RIGHT).build());
        each.put("a whole mask", options().mask(maskOf(SHAPE.of(4))).build());
        each.put(
                "a mask of batch rows and keys",
                options().mask(maskOf(SHAPE.of(4, 1, 2))).build());
        each.put(
                "a mask of heads and queries",
                options().mask(maskOf(SHAPE.of(3))).build());
        each.put("a mask of queries", options().mask(maskOf(SHAPE.of(2))).build());
        each.put("a mask of keys", options().mask(maskOf(SHAPE.of(1))).build());
        each.put(
                "a query mask",
                options()
                        .queryMask(Tensor.of(mask(new long[] {3, 70}, 5), 3, 70))
                        .build());
        each.put(
                "a query mask and last at last",
                options()
                        .queryMask(Tensor.of(mask(new long[] {3, 70}, 5), 3, 70))
                        .causal(Alignment.BOTTOM_RIGHT)
                        .build());
        each.put("a whole bias", options().bias(Tensor.random(6, SHAPE.of(4))).build());
        each.put(
                "a half bias of heads",
                options()
                        .bias(Tensor.random(6, SHAPE.of(3, 2)).to(DType.FLOAT16))
                        .build());
        each.put(
                "slopes of heads",
                options()
                        .alibiSlopes(0.1f, 0.2f, 0.05f, 0)
                        .align(Alignment.BOTTOM_RIGHT)
                        .build());
        each.put(
                "slopes of batch rows and heads",
                options()
                        .alibiSlopes(0.1f, 0.2f, 0.05f, 0, 1, 0.5f, 0.25f, 0.125f, -0.1f, -0.2f, 0.3f, 0.03f)
                        .build());
        each.put("sinks", options().sinks(0.5f, Float.NEGATIVE_INFINITY, 3, -1).build());
        each.put("softcap and scale", options().softcap(3).scale(0.7).build());
        each.put(
                "weights",
                options().weights(true).causal(Alignment.BOTTOM_RIGHT).build());
        return each;
    }

    private static Attention all() {
        return options()
                .causalOffsets(3, -20, 17)
                .keyLengths(41, 0, 33)
                .mask(maskOf(SHAPE.of(4)))
                .queryMask(Tensor.of(mask(new long[] {3, 70}, 7), 3, 70))
                .bias(Tensor.random(6, SHAPE.of(4)).to(DType.FLOAT16))
                .alibiSlopes(0.1f, 0.2f, 0.05f, 0, 1, 0.5f, 0.25f, 0.125f, -0.1f, -0.2f, 0.3f, 0.03f)
                .sinks(0.5f, Float.NEGATIVE_INFINITY, 3, -1)
                .softcap(3)
                .build();
    }

    private static Attention allPacked() {
        return options()
                .cumulativeLengths(PACKED_QUERIES, PACKED_KEYS)
                .causalOffsets(1, 2, 3, -4)
                .mask(maskOf(PACKED.of(4)))
                .alibiSlopes(0.1f, 0.2f, 0.05f, 0, 1, 0.5f, 0.25f, 0.1f, -0.1f, -0.2f, 0.3f, 0.03f, 0, 0.4f, 0, 1)
                .build();
    }

    private static Map<String, Attention> eachPacked() {
        int[] queries = PACKED_QUERIES;
        int[] keys = PACKED_KEYS;
        Map<String, Attention> each = new LinkedHashMap<>();
        each.put("packed", options().cumulativeLengths(queries, keys).build());
        each.put(
                "packed, last at last",
                options()
                        .cumulativeLengths(queries, keys)
                        .causal(Alignment.BOTTOM_RIGHT)
                        .build());
        each.put(
                "packed, an offset each",
                options()
                        .cumulativeLengths(queries, keys)
                        .causalOffsets(1, 2, 3, -4)
                        .build());
        each.put(
                "packed, slopes of sequences and heads",
                options()
                        .cumulativeLengths(queries, keys)
                        .alibiSlopes(
                                0.1f, 0.2f, 0.05f, 0, 1, 0.5f, 0.25f, 0.1f, -0.1f, -0.2f, 0.3f, 0.03f, 0, 0.4f, 0, 1)
                        .build());
        each.put(
                "packed, mask",
                options()
                        .cumulativeLengths(queries, keys)
                        .mask(maskOf(PACKED.of(4)))
                        .weights(true)
                        .build());
        return each;
    }

    private static OpenClEngine open(EngineInfo info, String plan, long bytes) {
        return (OpenClEngine) AttentionEngine.open(
                info.id(), TestEngines.options().withPlan(plan).withMaxDeviceBytes(bytes));
    }

    /** Emulators build kernels slowly: a fused plan, and the one that returns weights. */
    private static List<String> plans(EngineInfo info) {
        try (AttentionEngine engine = TestEngines.open(info)) {
            return info.kind() == EngineInfo.Kind.EMULATOR
                    ? List.of("rows", "staged")
                    : TestEngines.kernelPlans(engine);
        }
    }

    private static boolean can(AttentionEngine engine, AttentionProblem problem) {
        try {
            engine.explain(problem);
            return true;
        } catch (UnsupportedPlanException e) {
            return false;
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void eachOptionIsTheSameInSlices(EngineInfo info) {
        if (info.kind() == EngineInfo.Kind.EMULATOR) {
            // There each slice takes as long as the whole elsewhere: one plan, the cut that concerns all options, and
            // these together, where each one's place in a slice shows as it does alone.
            try (OpenClEngine engine = open(info, "rows", 0)) {
                check(engine, "rows", "all", SHAPE, all(), Cut.HEADS);
                check(engine, "rows", "all, packed", PACKED, allPacked(), Cut.HEADS);
            }
            return;
        }
        for (String plan : plans(info)) {
            checkAll(info, plan, Cut.values());
        }
    }

    private static void checkAll(EngineInfo info, String plan, Cut... cuts) {
        Cut[] within = Arrays.stream(cuts).filter(cut -> cut != Cut.BATCH).toArray(Cut[]::new);
        try (OpenClEngine engine = open(info, plan, 0)) {
            each().forEach((option, attention) -> check(engine, plan, option, SHAPE, attention, cuts));
            eachPacked().forEach((option, attention) -> check(engine, plan, option, PACKED, attention, within));
        }
    }

    private static void check(
            OpenClEngine engine, String plan, String option, Shape shape, Attention attention, Cut... cuts) {
        Tensor query = shape.query();
        Tensor key = shape.key();
        Tensor value = shape.value();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        if (!can(engine, problem)) {
            assertThat(attention.wantsWeights()).isTrue();
            return;
        }
        Yardstick yardstick = Yardstick.of(query, key, value, attention);
        try (AttentionResult whole = engine.attend(query, key, value, attention)) {
            for (Cut cut : cuts) {
                String what = option + " by " + plan + " cut to " + cut + " on "
                        + engine.info().name();
                List<Slice> slices = cut.of(problem, Division.ofHeads(1));
                assertThat(slices).as(what).contains(cut.largest()).hasSizeGreaterThan(1);
                try (AttentionResult result = attend(engine, problem, query, key, value, slices)) {
                    assertThat(yardstick.measure(result, attention)).as(what).allMatch(Deviation::isAllowed);
                }
                List<Slice> together = cut.whole(problem, division(engine, problem));
                assertThat(together).as(what).hasSizeGreaterThan(1);
                try (AttentionResult result = attend(engine, problem, query, key, value, together)) {
                    sameBits(what, result, whole, attention);
                }
            }
        }
    }

    private static void sameBits(String what, AttentionResult got, AttentionResult expected, Attention attention) {
        assertThat(got.output().bytes())
                .as("output of " + what)
                .isEqualTo(expected.output().bytes());
        if (attention.wantsLogSumExp()) {
            assertThat(got.logSumExp().bytes())
                    .as("log-sum-exp of " + what)
                    .isEqualTo(expected.logSumExp().bytes());
        }
        if (attention.wantsWeights()) {
            assertThat(got.weights().bytes())
                    .as("weights of " + what)
                    .isEqualTo(expected.weights().bytes());
        }
    }

    /** Any combination of options and shapes, cut anywhere. */
    @ParameterizedTest
    @MethodSource("devices")
    void randomProblemsAreRightInSlices(EngineInfo info) {
        int problems = info.kind() == EngineInfo.Kind.EMULATOR ? 6 : 60;
        for (String plan : plans(info)) {
            int computed = 0;
            try (OpenClEngine engine = open(info, plan, 0)) {
                for (int n = 0; n < problems; n++) {
                    RandomProblem drawn = RandomProblem.draw(42_000 + n);
                    Attention attention = drawn.attention().toBuilder()
                            .weights(drawn.attention().wantsWeights() && plan.equals("staged"))
                            .build();
                    AttentionProblem problem =
                            AttentionProblem.of(drawn.query(), drawn.key(), drawn.value(), attention);
                    if (isRefusedForItsLoops(engine, problem)) {
                        continue;
                    }
                    computed++;
                    // At least one row, or more than all.
                    long most =
                            1 + new Random(n).nextLong(2L + Slice.whole(problem).rows());
                    String what =
                            drawn.reproduce() + " by " + plan + " in slices of " + most + " rows on " + info.name();
                    List<Slice> slices = Slices.cut(problem, Division.ofHeads(1), slice -> slice.rows() <= most);
                    try (AttentionResult result =
                            attend(engine, problem, drawn.query(), drawn.key(), drawn.value(), slices)) {
                        assertThat(Yardstick.of(drawn.query(), drawn.key(), drawn.value(), attention)
                                        .measure(result, attention))
                                .as(what)
                                .allMatch(Deviation::isAllowed);
                    }
                    Division division = division(engine, problem);
                    long together =
                            Math.max(most, Slices.least(problem, division).rows());
                    List<Slice> alike = Slices.cut(problem, division, slice -> slice.rows() <= together);
                    try (AttentionResult whole = engine.attend(drawn.query(), drawn.key(), drawn.value(), attention);
                            AttentionResult result =
                                    attend(engine, problem, drawn.query(), drawn.key(), drawn.value(), alike)) {
                        sameBits(what, result, whole, attention);
                    }
                }
            }
            assertThat(computed).as("computed by " + plan).isPositive();
        }
    }

    /** A slice's offsets are its first query further on: never beyond what is legal. */
    @Test
    void theLargestOffsetsAreLegalInSlices() {
        Attention attention = Attention.builder()
                .causalOffsets(AttentionProblem.MAX_LENGTH)
                .window(AttentionProblem.MAX_LENGTH, 0)
                .build();
        Tensor query = Tensor.random(1, 1, 1, 4096, 8);
        Tensor key = Tensor.random(2, 1, 1, 41, 8);
        EngineInfo info = TestEngines.quickOpenCl().get(0);
        try (AttentionEngine whole = TestEngines.open(info);
                AttentionEngine small =
                        AttentionEngine.open(info.id(), TestEngines.options().withMaxDeviceBytes(100_000));
                AttentionResult expected = whole.attend(query, key, key, attention);
                AttentionResult result = small.attend(query, key, key, attention)) {
            assertThat(result.output().toFloatArray())
                    .containsExactly(expected.output().toFloatArray(), within(1e-6f));
        }
    }

    /** The whole of a head has too many queries to be decoded, its last slice has few: both split keys at the same places. */
    @Test
    void aLastSliceOfFewQueriesSplitsAsTheWhole() {
        EngineInfo info = TestEngines.quickOpenCl().get(0);
        try (OpenClEngine engine = (OpenClEngine)
                AttentionEngine.open(info.id(), TestEngines.options().withPlan("tiles"))) {
            Tensor key = Tensor.random(2, 1, 1, 1300, 16);
            Tensor longest = Tensor.random(1, 1, 1, 512, 16);
            int tile = division(engine, AttentionProblem.of(longest, key, key, Attention.DEFAULT))
                    .groupRows();
            Tensor query = longest.slice(2, 0, tile + 5);
            AttentionProblem problem = AttentionProblem.of(query, key, key, Attention.DEFAULT);
            Division division = division(engine, problem);
            assertThat(division.splits()).isGreaterThan(1);
            List<Slice> slices = Slices.cut(problem, division, slice -> slice.rows() <= tile);
            assertThat(slices).hasSize(2);
            try (AttentionResult whole = attend(engine, problem, query, key, key, List.of(Slice.whole(problem)));
                    AttentionResult cut = attend(engine, problem, query, key, key, slices)) {
                assertThat(cut.output().toFloatArray()).isEqualTo(whole.output().toFloatArray());
            }
        }
    }

    @Test
    void slicesFollowEachOtherAndNeverMixGroups() {
        Random random = new Random(9);
        for (int n = 0; n < 2000; n++) {
            int group = 1 + random.nextInt(4);
            AttentionProblem problem = new AttentionProblem(
                    1 + random.nextInt(5),
                    group * (1 + random.nextInt(5)),
                    1,
                    1 + random.nextInt(300),
                    7,
                    4,
                    4,
                    DType.FLOAT32,
                    Attention.DEFAULT);
            problem = withKeyValueHeads(problem, problem.queryHeads() / group);
            long all = Slice.whole(problem).rows();
            long most = 1 + random.nextLong(all);
            long next = 0;
            for (Slice slice : Slices.cut(problem, Division.ofHeads(1), candidate -> candidate.rows() <= most)) {
                assertThat(slice.firstRow(problem)).isEqualTo(next);
                assertThat(slice.rows()).isBetween(1L, most);
                assertThat(slice.batchRows() == 1 || slice.heads() == problem.queryHeads())
                        .isTrue();
                assertThat(slice.heads() == 1 || slice.queries() == problem.queryLength())
                        .isTrue();
                assertThat(
                                slice.heads() % group == 0
                                        ? slice.firstHead() % group
                                        : (slice.firstHead() + slice.heads() - 1) / group - slice.firstHead() / group)
                        .as("whole groups, or a part of one")
                        .isZero();
                next += slice.rows();
            }
            assertThat(next).isEqualTo(all);
            assertThat(Slices.cut(problem, Division.ofHeads(1), candidate -> false))
                    .isEmpty();
        }
    }

    private static AttentionProblem withKeyValueHeads(AttentionProblem problem, int keyValueHeads) {
        return new AttentionProblem(
                problem.batch(),
                problem.queryHeads(),
                keyValueHeads,
                problem.queryLength(),
                problem.keyLength(),
                problem.headDim(),
                problem.valueDim(),
                problem.dtype(),
                problem.attention());
    }
}
