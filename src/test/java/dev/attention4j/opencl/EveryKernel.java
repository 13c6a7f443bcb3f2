package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.BlockMask;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.GradientOptions;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.Projector.Projection;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.ScoreParameters;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.problems.RandomExpression;
import dev.attention4j.opencl.fused.ForwardDecode;
import dev.attention4j.opencl.fused.ForwardRows;
import dev.attention4j.opencl.fused.ForwardTiles;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks.Quirk;
import dev.attention4j.opencl.staged.StagedPlan;
import dev.attention4j.reference.Deviation;
import dev.attention4j.reference.GradientYardstick;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.TestOption;
import dev.attention4j.testing.PlainProjection;
import dev.attention4j.testing.ProjectionCheck;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.UpdateCheck;
import dev.attention4j.testing.WeightGradientCheck;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * A program for a simulator: projections, and every plan, its tunables, storage and options, on every OpenCL device
 * that it finds, on shapes as small as reach all paths, each result checked against the oracle. Prints the kernels that
 * ran, then what they were built from: {@link #BUILD}, file and options; one a line.
 *
 * <p>With {@link #FRESH} as its argument each plan runs once with each option, on an engine of its own whose memory
 * nobody has filled, and nothing is said of builds.
 */
final class EveryKernel {
    /** Begins a line that names a build. */
    static final String BUILD = "build ";

    /** Asks for memory that nobody has filled. */
    static final String FRESH = "fresh";

    private static final List<DType> DTYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

    /** Sizes of a call. */
    private record Shape(int batch, int heads, int keyValueHeads, int queries, int keys, int headDim, int valueDim) {
        AttentionProblem problem(DType dtype, Attention attention) {
            return new AttentionProblem(
                    batch, heads, keyValueHeads, queries, keys, headDim, valueDim, dtype, attention);
        }
    }

    /** No length or width is a multiple of a vector, and a group of heads shares keys. */
    private static final Shape TINY = new Shape(2, 2, 1, 3, 7, 5, 6);

    /** Keys for each part of a random expression. */
    private static final Shape EXPRESSIONS = new Shape(2, 2, 1, 5, 29, 5, 6);

    /** More than one tile along each axis: rows, keys, head width and value width. */
    private static final Shape RAGGED = new Shape(1, 1, 1, 67, 131, 18, 70);

    /** For each tiling of a plan: two tiles along each axis of most, a ragged one of all. */
    private static final Shape SMALL = new Shape(1, 1, 1, 35, 70, 10, 37);

    /** Rows that are whole vectors, for which a kernel may be built apart. */
    private static final Shape WHOLE_VECTORS = new Shape(1, 2, 1, 5, 12, 8, 16);

    /** Two rows that share their keys. */
    private static final Shape PAIR = new Shape(1, 2, 1, 1, 9, 5, 6);

    /** One query over enough keys that they are split and merged again. */
    private static final Shape LONG = new Shape(1, 1, 1, 1, 1030, 3, 5);

    /** So many rows that the plan rows widens their 16-bit keys and values once for all of them. */
    private static final Shape MANY_ROWS = new Shape(1, 2, 1, 385, 9, 5, 6);

    /** Two pages of 4 keys for each batch row. */
    private static final Shape IN_PAGES = new Shape(2, 2, 1, 3, 8, 5, 6);

    /** The same for many rows. */
    private static final Shape MANY_ROWS_IN_PAGES = new Shape(1, 2, 1, 385, 8, 5, 6);

    private static final int POOL = 5;

    /** Rows of whole groups of 32, and a part of one. */
    private static final Shape GROUPS = new Shape(1, 2, 1, 1, 9, 40, 72);

    /** Rows that hold a vector of each width, and an element more. */
    private static final Shape ODD_ROWS = new Shape(1, 1, 1, 9, 11, 17, 17);

    /** So many keys that blocks of them that a mask hides are found before, for rows of one head and of two. */
    private static final Shape MANY_KEYS = new Shape(1, 2, 1, 36, 230, 3, 4);

    private static final Shape MANY_KEYS_OF_HEADS = new Shape(1, 2, 1, 18, 230, 3, 4);

    /** The tiles of AVX-512, which no simulator's device has. */
    private static final String WIDEST_ROWS = "rows:VECTOR_WIDTH=16,ROW_VECTORS=4,KEY_TILE=6,DIM_TILE=6,KEY_BLOCK=24";

    /** Blocks so short that there are enough of them to be folded into totals. */
    private static final String FOLDING_ROWS = "rows:VECTOR_WIDTH=4,ROW_VECTORS=1,KEY_TILE=1,DIM_TILE=3,KEY_BLOCK=1";

    /** Values in several passes over their dims, as GPUs take them. */
    private static final String TILES_IN_PASSES =
            "tiles:ROW_ITEMS=4,COLUMN_ITEMS=8,MICRO_ROWS=4,MICRO_KEYS=8,DIM_SLICE=16,SLICE_KEYS=1,DIM_PASSES=4,"
                    + "PRODUCT_UNROLL=8";

    private static final Shape WIDE_VALUES = new Shape(1, 1, 1, 17, 35, 10, 100);

    /** Blocks of keys that are seen wholly, in part and not at all. */
    private static final Attention EDGES = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .window(45, 0)
            .logSumExp(true)
            .build();

    private static final String SCORE =
            "score + slope[head][batch] * abs(position - key) + scale * (keyLength - key) * (queryLength - query)";

    private static final String MASK_IF = "sequence[key] == sequence[min(query + 1, 6)] || keyValueHead > 0";

    private static ScoreParameters expressionParameters() {
        return ScoreParameters.NONE
                .with("slope", new float[] {0.5f, 0.25f, -1, 0.125f}, 2, 2)
                .with("scale", 0.01);
    }

    private static ScoreParameters sequences() {
        return ScoreParameters.NONE.with("sequence", new int[] {0, 0, 1, 1, 1, 2, 2}, 7);
    }

    private EveryKernel() {}

    public static void main(String[] arguments) {
        if (List.of(arguments).contains(FRESH)) {
            inFreshMemory().forEach(System.out::println);
            return;
        }
        Set<String> kernels = new TreeSet<>();
        Set<String> builds = new TreeSet<>();
        for (EngineInfo info : TestEngines.openCl()) {
            List<String> plans;
            try (OpenClEngine engine = open(info, "auto")) {
                plans = TestEngines.kernelPlans(engine);
                names(engine, kernels, engine::probe);
                names(engine, kernels, () -> ProjectionCheck.everyKernel(engine.context()));
                names(engine, kernels, () -> grow(engine));
                names(engine, kernels, () -> fork(engine));
                names(engine, kernels, () -> merge(engine));
                names(engine, kernels, () -> turn(engine));
                names(engine, kernels, () -> train(engine));
                builds.addAll(engine.context().builds());
            }
            try (OpenClEngine engine = open(info, ForwardRows.NAME)) {
                gradients(call -> names(engine, kernels, () -> call.accept(engine)));
                builds.addAll(engine.context().builds());
            }
            try (OpenClEngine engine = open(info, ForwardTiles.NAME)) {
                gradientsByTiles(call -> names(engine, kernels, () -> call.accept(engine)));
                builds.addAll(engine.context().builds());
            }
            for (String plan : plans) {
                Collection<Variant> variants;
                try (OpenClEngine engine = open(info, plan)) {
                    names(engine, kernels, () -> runAll(engine, plan));
                    builds.addAll(engine.context().builds());
                    variants = builds(engine.variants(SMALL.problem(DType.FLOAT32, EDGES)));
                }
                for (Variant variant : variants) {
                    runForced(info, variant.toString(), builds);
                }
            }
            runForced(info, WIDEST_ROWS, builds);
            runForced(info, FOLDING_ROWS, builds);
            try (OpenClEngine engine = open(info, TILES_IN_PASSES)) {
                run(engine, TILES_IN_PASSES, WIDE_VALUES, DType.FLOAT32, EDGES);
                builds.addAll(engine.context().builds());
            }
        }
        for (ClDevice device : Devices.find().devices()) {
            // Rows of 16 bits at odd addresses, in vectors that no simulator's device has.
            for (int width : new int[] {8, 16}) {
                for (String plan : List.of(ForwardRows.NAME, ForwardDecode.NAME)) {
                    try (OpenClEngine engine = new OpenClEngine(
                            OpenClProvider.info(device),
                            device.pretending(width),
                            TestEngines.options().withPlan(plan))) {
                        run(engine, plan + ", vectors of " + width, ODD_ROWS, DType.FLOAT16, EDGES);
                        if (plan.equals(ForwardRows.NAME)) {
                            gradients(engine, ODD_ROWS, DType.FLOAT32, EDGES, GradientOptions.DEFAULT);
                        }
                        builds.addAll(engine.context().builds());
                    }
                }
            }
            for (Quirk quirk : List.of(Quirk.MULTIPLY_ADD_IS_MAD, Quirk.MULTIPLY_ADD_IS_PLAIN)) {
                try (OpenClEngine engine = new OpenClEngine(
                        OpenClProvider.info(device),
                        device.pretending(quirk),
                        TestEngines.options().withPlan(StagedPlan.NAME))) {
                    run(engine, quirk.toString(), TINY, DType.FLOAT32, EDGES);
                    builds.addAll(engine.context().builds());
                }
            }
        }
        kernels.forEach(System.out::println);
        builds.forEach(
                build -> System.out.println(BUILD + build.lines().findFirst().orElseThrow()));
    }

    private static void runForced(EngineInfo info, String plan, Set<String> builds) {
        try (OpenClEngine engine = open(info, plan)) {
            run(engine, plan, SMALL, DType.FLOAT32, EDGES);
            builds.addAll(engine.context().builds());
        }
    }

    /** One of those that differ in the length of a loop over blocks alone: a simulator takes seconds for each build. */
    private static Collection<Variant> builds(List<Variant> variants) {
        Map<Map<String, Integer>, Variant> builds = new LinkedHashMap<>();
        for (Variant variant : variants) {
            Map<String, Integer> values = new LinkedHashMap<>(variant.tunables().values());
            values.remove("KEY_BLOCK");
            builds.putIfAbsent(values, variant);
        }
        return builds.values();
    }

    private static Set<String> inFreshMemory() {
        Set<String> kernels = new TreeSet<>();
        for (EngineInfo info : TestEngines.openCl()) {
            List<String> plans;
            try (OpenClEngine engine = openFresh(info, "auto")) {
                plans = TestEngines.kernelPlans(engine);
                names(engine, kernels, engine::probe);
                names(engine, kernels, () -> ProjectionCheck.everyKernel(engine.context()));
                names(engine, kernels, () -> grow(engine));
                names(engine, kernels, () -> fork(engine));
                names(engine, kernels, () -> merge(engine));
                names(engine, kernels, () -> turn(engine));
                names(engine, kernels, () -> train(engine));
            }
            gradients(call -> {
                try (OpenClEngine engine = openFresh(info, ForwardRows.NAME)) {
                    names(engine, kernels, () -> call.accept(engine));
                }
            });
            gradientsByTiles(call -> {
                try (OpenClEngine engine = openFresh(info, ForwardTiles.NAME)) {
                    names(engine, kernels, () -> call.accept(engine));
                }
            });
            for (String plan : plans) {
                options()
                        .forEach((name, attention) ->
                                runFresh(info, plan, kernels, TINY, DType.FLOAT32, attention.build()));
                runFresh(
                        info,
                        plan,
                        kernels,
                        TINY,
                        DType.FLOAT16,
                        options().get("all").build());
                runFresh(
                        info,
                        plan,
                        kernels,
                        TINY,
                        DType.BFLOAT16,
                        options().get("all").build());
                runFresh(info, plan, kernels, IN_PAGES, DType.FLOAT32, inPages(4, 0, 1, -1));
                if (plan.equals(ForwardRows.NAME)) {
                    runFresh(info, plan, kernels, MANY_ROWS, DType.FLOAT16, Attention.DEFAULT);
                    runFresh(info, plan, kernels, MANY_KEYS, DType.FLOAT32, blockMask(MANY_KEYS));
                }
                if (!plan.equals(StagedPlan.NAME)) {
                    runFresh(info, plan, kernels, WHOLE_VECTORS, DType.FLOAT32, Attention.DEFAULT);
                    runFresh(info, plan, kernels, LONG, DType.FLOAT32, Attention.DEFAULT);
                }
            }
        }
        return kernels;
    }

    /** A cache of each type, whose rows are no whole vectors: what it holds is what was appended. */
    private static void grow(OpenClEngine engine) {
        Tensor key = Tensor.random(2, 2, 1, 7, 5);
        Tensor value = Tensor.random(3, 2, 1, 7, 22);
        for (DType dtype : DTYPES) {
            CacheShape shape = CacheShape.of(2, 1, 9, 5).withValueDim(22).withTypes(dtype, DType.FLOAT32);
            try (KeyValueCache cache = KeyValueCache.open(engine, shape)) {
                cache.append(key, value, 6, 2);
                cache.append(key.slice(2, 6, 7).to(dtype), value.slice(2, 6, 7), 1, 0);
                assertThat(cache.keys().slice(0, 0, 1).toFloatArray())
                        .isEqualTo(key.to(dtype).slice(0, 0, 1).toFloatArray());
                assertThat(cache.values().slice(0, 0, 1).toFloatArray())
                        .isEqualTo(value.slice(0, 0, 1).toFloatArray());
            }
        }
        for (DType dtype : List.of(DType.Q8_0, DType.Q4_0)) {
            Tensor target = engine.zeros(dtype, 2, 1, 9, 22);
            Tensor other = engine.zeros(dtype, 2, 1, 9, 22);
            int[] places = {0, 1};
            int[] counts = {7, 7};
            engine.scatter(List.of(target, other), List.of(value.to(dtype), value), places, counts);
            assertThat(target.slice(0, 1, 2).slice(2, 1, 8).toFloatArray())
                    .isEqualTo(value.slice(0, 1, 2).to(dtype).toFloatArray());
            engine.scatter(List.of(target, other), List.of(value, value.to(dtype)), places, counts);
            assertThat(target.slice(0, 1, 2).slice(2, 1, 8).toFloatArray())
                    .isEqualTo(value.slice(0, 1, 2).to(dtype).toFloatArray());
        }
    }

    /** Two sequences that share a page until one of them writes to it. */
    private static void fork(OpenClEngine engine) {
        Tensor key = Tensor.random(2, 1, 1, 7, 5);
        Tensor value = Tensor.random(3, 1, 1, 7, 22);
        CacheShape shape = CacheShape.of(1, 1, 32, 5).withValueDim(22).withTypes(DType.FLOAT16, DType.FLOAT32);
        try (PagedKeyValueCache cache = PagedKeyValueCache.open(engine, shape, 16)) {
            int[] first = {cache.newSequence()};
            cache.append(first, key.slice(2, 0, 5), value.slice(2, 0, 5));
            int[] second = {cache.fork(first[0])};
            cache.append(second, key.slice(2, 5, 7), value.slice(2, 5, 7));
            Tensor query = Tensor.random(4, 1, 1, 1, 5);
            try (AttentionResult whole = cache.attend(second, query, Attention.DEFAULT);
                    AttentionResult plain = engine.attend(query, key.to(DType.FLOAT16), value)) {
                assertThat(whole.output().toFloatArray())
                        .isEqualTo(plain.output().toFloatArray());
            }
        }
    }

    /** Parts of different types, whose rows are no whole vectors. */
    private static void merge(OpenClEngine engine) {
        Tensor output = Tensor.random(4, 2, 1, 3, 22);
        Tensor logSumExp = Tensor.random(5, 2, 1, 3);
        AttentionResult part = new AttentionResult(output, null, logSumExp, "");
        AttentionResult other = new AttentionResult(output.to(DType.FLOAT16), null, logSumExp, "");
        try (AttentionResult merged = engine.merge(List.of(part, other))) {
            assertThat(merged.logSumExp().get(1, 0, 2)).isEqualTo(logSumExp.get(1, 0, 2) + Math.log(2), within(1e-6));
            assertThat(merged.output().get(1, 0, 2, 21)).isEqualTo(output.get(1, 0, 2, 21), within(1e-3));
        }
    }

    /** Heads turned in each type, by vectors and by single pairs, from first rows' positions and from each row's. */
    private static void turn(OpenClEngine engine) {
        Tensor heads = Tensor.random(4, 2, 1, 3, 23);
        for (boolean interleaved : new boolean[] {false, true}) {
            RotaryEmbedding rotary =
                    RotaryEmbedding.builder(18, 9).interleaved(interleaved).build();
            for (DType dtype : DTYPES) {
                float[] following = engine.rotate(heads.to(dtype), rotary, 5, 0).toFloatArray();
                float[] each =
                        engine.rotate(heads.to(dtype), rotary, 5, 6, 7, 0, 1, 2).toFloatArray();
                assertThat(each).isEqualTo(following).isNotEqualTo(heads.toFloatArray());
            }
        }
    }

    /** Gradients of all that has any; of more keys than a tile has, more queries than a block, and masked NaN. */
    private static void gradients(Consumer<Consumer<OpenClEngine>> calls) {
        Tensor mask = Tensor.of(new boolean[] {true, false, true, true, false, false, true}, 7);
        Attention all = all(mask, Tensor.random(4, 2, 1, 3, 7)).build();
        GradientOptions wanted = GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes();
        for (DType dtype : DTYPES) {
            calls.accept(engine -> gradients(engine, TINY, dtype, all, wanted));
            calls.accept(engine -> gradients(engine, TINY, dtype, EDGES, GradientOptions.DEFAULT));
        }
        Attention dropping = all.toBuilder().dropout(0.4, 3).build();
        calls.accept(engine -> gradients(engine, TINY, DType.FLOAT32, dropping, wanted));
        Attention packed = Attention.builder()
                .cumulativeLengths(new int[] {0, 20, 20, 35}, new int[] {0, 30, 50, 70})
                .bias(Tensor.random(4, 1, 35, 1))
                .alibiSlopes(0.5f, 0.25f, 1)
                .logSumExp(true)
                .build();
        GradientOptions ofPacked =
                GradientOptions.DEFAULT.withBias().withAlibiSlopes().withLogSumExpGradient(Tensor.random(8, 1, 1, 35));
        calls.accept(engine -> gradients(engine, SMALL, DType.FLOAT32, packed, ofPacked));
    }

    /** The same by tiles: of plain attention of several tiles, and of all that changes, masks and drops. */
    private static void gradientsByTiles(Consumer<Consumer<OpenClEngine>> calls) {
        Tensor mask = Tensor.of(new boolean[] {true, false, true, true, false, false, true}, 7);
        Attention all = all(mask, Tensor.random(4, 2, 1, 3, 7)).dropout(0.4, 3).build();
        GradientOptions wanted = GradientOptions.DEFAULT.withSinks().withAlibiSlopes();
        calls.accept(engine -> gradients(engine, SMALL, DType.FLOAT32, EDGES, GradientOptions.DEFAULT));
        calls.accept(engine -> gradients(engine, TINY, DType.FLOAT32, all, wanted));
    }

    private static void gradients(
            OpenClEngine engine, Shape shape, DType dtype, Attention attention, GradientOptions options) {
        Tensor query = Tensor.random(1, shape.batch, shape.heads, shape.queries, shape.headDim)
                .to(dtype);
        Tensor key = Tensor.random(2, shape.batch, shape.keyValueHeads, shape.keys, shape.headDim);
        if (attention.mask().isPresent()) {
            // The second of the mask's keys, which no query attends to.
            for (int d = 0; d < shape.headDim; d++) {
                key.floats().put(shape.headDim + d, Float.NaN);
            }
        }
        Tensor value = Tensor.random(3, shape.batch, shape.keyValueHeads, shape.keys, shape.valueDim)
                .to(dtype);
        Tensor outputGradient = Tensor.random(7, shape.batch, shape.heads, shape.queries, shape.valueDim);
        try (AttentionTape tape = engine.attendForGradients(query, key.to(dtype), value, attention);
                AttentionGradients gradients = tape.gradients(outputGradient.to(dtype), options)) {
            GradientCall call = GradientCall.of(
                    query, key.to(dtype), value, attention, tape.result(), outputGradient.to(dtype), options);
            assertThat(new GradientYardstick(call).measure(gradients)).allMatch(Deviation::isAllowed);
            assertThat(gradients.plan()).isIn(ForwardRows.NAME, ForwardTiles.NAME);
        }
    }

    private static void runFresh(
            EngineInfo info, String plan, Set<String> kernels, Shape shape, DType dtype, Attention attention) {
        try (OpenClEngine engine = openFresh(info, plan)) {
            names(engine, kernels, () -> run(engine, plan, shape, dtype, attention));
        }
    }

    private static OpenClEngine openFresh(EngineInfo info, String plan) {
        return (OpenClEngine) AttentionEngine.open(
                info.id(), TestEngines.options().with(TestOption.POISON, false).withPlan(plan));
    }

    private static OpenClEngine open(EngineInfo info, String plan) {
        return (OpenClEngine)
                AttentionEngine.open(info.id(), TestEngines.options().withPlan(plan));
    }

    /** Gradients of weights, weights that are packed there, and every update. */
    private static void train(OpenClEngine engine) {
        new WeightGradientCheck(engine).everything();
        new UpdateCheck(engine, 37).everything();
        Tensor stored = Tensor.random(1, 2, 3, 17);
        Tensor input = Tensor.random(2, 1, 4, 17);
        try (Tensor there = engine.upload(stored);
                Projection projection = engine.projector().prepare(there.permute(2, 0, 1), null);
                Tensor result =
                        engine.projector().toHeads(input, List.of(projection)).get(0)) {
            new PlainProjection(input.reshape(1, 1, 4, 17), null, stored.permute(2, 0, 1), null)
                    .check("packed there", result);
        }
    }

    /** Adds the names of the kernels that something launches. */
    private static void names(OpenClEngine engine, Set<String> kernels, Runnable task) {
        List<ClEvent> events = new ArrayList<>();
        engine.profileInto(events);
        task.run();
        engine.profileInto(null);
        events.forEach(event -> kernels.add(event.command()));
        events.forEach(ClEvent::close);
    }

    private static void runAll(OpenClEngine engine, String plan) {
        options().forEach((name, attention) -> run(engine, plan + " " + name, TINY, DType.FLOAT32, attention.build()));
        // What storage meets: no limits, a band, a table of key ranges, and everything.
        for (String name : List.of("plain", "causal", "key lengths", "all")) {
            Attention attention = options().get(name).build();
            run(engine, plan + " " + name, TINY, DType.FLOAT16, attention);
            run(engine, plan + " " + name, TINY, DType.BFLOAT16, attention);
        }
        run(engine, plan + " ragged", RAGGED, DType.FLOAT16, EDGES);
        Attention expressions = Attention.builder()
                .score("score * 0.5")
                .maskIf("key % 3 <= query % 5")
                .build();
        run(engine, plan + " expressions", SMALL, DType.FLOAT32, expressions);
        // Of 12 parts, each of which some keys have: every operation of the language.
        Attention random = RandomExpression.draw(3).addTo(Attention.builder()).build();
        run(engine, plan + " random expressions", EXPRESSIONS, DType.FLOAT32, random);
        run(engine, plan + " pages", IN_PAGES, DType.FLOAT32, inPages(4, 0, 1, -1));
        if (plan.equals(ForwardRows.NAME)) {
            run(engine, plan + " many rows in pages", MANY_ROWS_IN_PAGES, DType.FLOAT32, inPages(3, 0));
            run(engine, plan + " many rows", MANY_ROWS, DType.FLOAT16, EDGES);
            run(engine, plan + " many rows", MANY_ROWS, DType.BFLOAT16, EDGES);
        }
        for (DType[] types : new DType[][] {{DType.Q8_0, DType.Q4_0}, {DType.Q4_0, DType.Q8_0}}) {
            StorageTypes mixed = new StorageTypes(DType.FLOAT32, types[0], types[1]);
            run(
                    engine,
                    plan + " groups",
                    GROUPS,
                    mixed,
                    options().get("log-sum-exp").build());
        }
        if (plan.equals(ForwardRows.NAME)) {
            run(engine, plan + " hidden blocks", MANY_KEYS, DType.FLOAT32, blockMask(MANY_KEYS));
        }
        if (plan.equals(ForwardTiles.NAME)) {
            Attention documents =
                    Attention.builder().maskIf("key / 70 == query / 9").build();
            run(engine, plan + " hidden blocks", MANY_KEYS, DType.FLOAT32, documents);
            run(engine, plan + " hidden blocks", MANY_KEYS_OF_HEADS, DType.FLOAT32, documents);
        }
        // The staged plan knows neither vectors along a width, rows that share keys nor splits.
        if (!plan.equals(StagedPlan.NAME)) {
            Attention logSumExp = Attention.builder().logSumExp(true).build();
            Attention softcap = Attention.builder().softcap(3).build();
            for (DType dtype : DTYPES) {
                run(engine, plan + " whole vectors", WHOLE_VECTORS, dtype, logSumExp);
                run(engine, plan + " whole vectors, softcap", WHOLE_VECTORS, dtype, softcap);
                run(engine, plan + " pair", PAIR, dtype, logSumExp);
                run(engine, plan + " long", LONG, dtype, logSumExp);
            }
        }
    }

    /** Each option alone, then together, so that each set of macros and of flags is built. */
    private static Map<String, AttentionBuilder> options() {
        Tensor mask = Tensor.of(new boolean[] {true, false, true, true, false, false, true}, 7);
        Tensor bias = Tensor.random(4, 2, 1, 3, 7);
        Map<String, AttentionBuilder> options = new LinkedHashMap<>();
        options.put("plain", Attention.builder());
        options.put("weights", Attention.builder().weights(true));
        options.put("log-sum-exp", Attention.builder().logSumExp(true));
        options.put("softcap", Attention.builder().softcap(3));
        options.put("causal", Attention.builder().causal(Alignment.TOP_LEFT));
        options.put("window", Attention.builder().window(1, 2).align(Alignment.BOTTOM_RIGHT));
        options.put("offsets", Attention.builder().causalOffsets(-1, 9));
        options.put("key lengths", Attention.builder().keyLengths(0, 5).logSumExp(true));
        options.put("query mask", Attention.builder().queryMask(queries()));
        options.put(
                "query mask, weights", Attention.builder().queryMask(queries()).weights(true));
        options.put("mask", Attention.builder().mask(mask));
        options.put("bias", Attention.builder().bias(bias));
        options.put("alibi", Attention.builder().alibiSlopes(0.5f, 0.25f));
        options.put("alibi of each batch row", Attention.builder().alibiSlopes(0.5f, 0.25f, 1, 2));
        options.put("score expression", Attention.builder().score(SCORE, expressionParameters()));
        options.put("mask expression", Attention.builder().maskIf(MASK_IF, sequences()));
        options.put("dropout", Attention.builder().dropout(0.4, 3).logSumExp(true));
        options.put("sinks", Attention.builder().sinks(0.5f, Float.NEGATIVE_INFINITY));
        options.put("sinks, log-sum-exp", Attention.builder().sinks(0.5f, 1).logSumExp(true));
        options.put("all", all(mask, bias));
        options.put("all, weights", all(mask, bias).weights(true));
        options.put("all, key lengths", all(mask, bias).keyLengths(7, 4));
        return options;
    }

    /** Batch rows of 7 keys, and of 4 in one page, with no other. */
    private static Attention inPages(int... table) {
        int batch = table.length / 2;
        Tensor tensor = Tensor.zeros(DType.INT32, batch, 2);
        tensor.bytes().asIntBuffer().put(table);
        AttentionBuilder builder = Attention.builder().pageTable(tensor).logSumExp(true);
        return (batch == 1 ? builder : builder.keyLengths(7, 4)).build();
    }

    /** Each query attends to a third of the keys. */
    private static Attention blockMask(Shape shape) {
        boolean[] attends = new boolean[shape.queries * shape.keys];
        for (int n = 0; n < attends.length; n++) {
            attends[n] = n % shape.keys * 3 / shape.keys == n / shape.keys % 3;
        }
        return Attention.builder()
                .blockMask(BlockMask.of(Tensor.of(attends, shape.queries, shape.keys)))
                .build();
    }

    private static Tensor queries() {
        return Tensor.of(new boolean[] {false, true, true, true, false, true}, 2, 3);
    }

    private static AttentionBuilder all(Tensor mask, Tensor bias) {
        return Attention.builder()
                .scale(0.7)
                .softcap(2)
                .causal(Alignment.BOTTOM_RIGHT)
                .window(4, 0)
                .mask(mask)
                .bias(bias)
                .alibiSlopes(0.5f, 0.25f)
                .score(SCORE, expressionParameters())
                .maskIf(MASK_IF, sequences())
                .sinks(0.5f, 1)
                .logSumExp(true);
    }

    private static void run(OpenClEngine engine, String name, Shape shape, DType dtype, Attention attention) {
        run(engine, name, shape, StorageTypes.of(dtype), attention);
    }

    private static void run(OpenClEngine engine, String name, Shape shape, StorageTypes types, Attention attention) {
        DType dtype = types.query();
        try {
            engine.explain(shape.problem(dtype, attention));
        } catch (UnsupportedPlanException e) {
            // What a plan refuses is given to another.
            return;
        }
        Tensor query = Tensor.random(1, shape.batch, shape.heads, shape.queries, shape.headDim);
        boolean paged = attention.pageTable().isPresent();
        int rows = paged ? POOL : shape.batch;
        int keys = paged ? shape.keys / 2 : shape.keys;
        Tensor key = Tensor.random(2, rows, shape.keyValueHeads, keys, shape.headDim);
        Tensor value = Tensor.random(3, rows, shape.keyValueHeads, keys, shape.valueDim);
        YardstickCheck.check(engine, query.to(dtype), key.to(types.key()), value.to(types.value()), attention, name);
    }
}
