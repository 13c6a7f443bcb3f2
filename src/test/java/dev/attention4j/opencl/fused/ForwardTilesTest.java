package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.testing.PlanEngine;
import dev.attention4j.testing.TestEngines;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Splits, passes, views and wide heads, whatever the plan would choose on a device, against the oracle. */
class ForwardTilesTest {
    /** Each type is a build, of half a minute on an emulator; StorageTest has all. */
    private static final List<DType> FLOATS = List.of(DType.FLOAT32);

    private static List<ClDevice> devices() {
        return Devices.find().devices();
    }

    private static boolean isSlow(ClDevice device) {
        return device.quirks().has(Quirks.Quirk.EMULATOR);
    }

    /** Not emulators: llvmpipe builds for minutes what is written out. */
    private static List<ClDevice> compilingQuickly() {
        return devices().stream().filter(device -> !isSlow(device)).toList();
    }

    private static Tensor random(DType dtype, long... shape) {
        return Tensor.random(Arrays.hashCode(shape), shape).to(dtype);
    }

    private static PlanEngine engine(ClDevice device, ForwardTilesTiling tiling, int splits) {
        return new PlanEngine(device, context -> new ForwardTiles(context, tiling, splits));
    }

    @ParameterizedTest
    @MethodSource("devices")
    void splitsAreMergedToWhatOneWorkGroupGives(ClDevice device) {
        Tensor query = random(DType.FLOAT32, 2, 4, 5, 20);
        Tensor key = random(DType.FLOAT32, 2, 2, 200, 20);
        // On emulators as wide as vectors, which is a build of wholeVectorsOfViewsAreReadWhereTheyLie as well.
        Tensor value = random(DType.FLOAT32, 2, 2, 200, isSlow(device) ? 12 : 13);
        Tensor bias = random(DType.FLOAT32, 4, 5, 200);
        // One row sees keys of one split only, one batch row none at all.
        List<Attention> operations = List.of(
                Attention.builder()
                        .sinks(0.3f, -2, Float.NEGATIVE_INFINITY, 1)
                        .logSumExp(true)
                        .build(),
                Attention.builder().window(3, 0).logSumExp(true).build(),
                Attention.builder().keyLengths(77, 0).logSumExp(true).build());
        // The only one for emulators: one build has all.
        Attention options = Attention.builder()
                .bias(bias)
                .softcap(3)
                .alibiSlopes(0.1f, 0.2f, 0.3f, 0.4f)
                .keyLengths(177, 0)
                .sinks(0.3f, -2, Float.NEGATIVE_INFINITY, 1)
                .logSumExp(true)
                .build();
        for (int splits : isSlow(device) ? new int[] {3} : new int[] {2, 3, 7, 50}) {
            try (PlanEngine engine = engine(device, smallest(), splits)) {
                if (isSlow(device)) {
                    YardstickCheck.check(engine, query, key, value, options, splits + " splits, options");
                    continue;
                }
                for (Attention operation : operations) {
                    String what = splits + " splits, " + operation;
                    YardstickCheck.check(engine, query, key, value, operation, what);
                }
                YardstickCheck.check(
                        engine,
                        query.to(DType.FLOAT16),
                        key.to(DType.FLOAT16),
                        value.to(DType.FLOAT16),
                        options,
                        splits + " splits, options, FLOAT16");
            }
        }
    }

    /** Values taken in passes over their dims, and loops written out, change what registers hold, and no bit of a result. */
    @ParameterizedTest
    @MethodSource("compilingQuickly")
    void passesAndUnrolledLoopsChangeNoBit(ClDevice device) {
        Tensor query = random(DType.FLOAT32, 1, 2, 19, 24);
        Tensor key = random(DType.FLOAT32, 1, 1, 70, 24);
        Tensor value = random(DType.FLOAT32, 1, 1, 70, 100);
        // What a masked weight leaves out in one pass it leaves out in all.
        value.floats().put(69 * 100 + 99, Float.NaN);
        Attention operation =
                Attention.builder().causal(Alignment.TOP_LEFT).logSumExp(true).build();
        String tiles = "ROW_ITEMS=4,COLUMN_ITEMS=8,MICRO_ROWS=4,MICRO_KEYS=4,DIM_SLICE=16,SLICE_KEYS=1,";
        List<float[]> outputs = new ArrayList<>();
        for (String more : List.of("DIM_PASSES=1,PRODUCT_UNROLL=2", "DIM_PASSES=4,PRODUCT_UNROLL=4")) {
            ForwardTilesTiling tiling = ForwardTilesTiling.SPACE.of(Tunables.parse(tiles + more));
            try (PlanEngine engine = engine(device, tiling, 1)) {
                YardstickCheck.check(engine, query, key, value, operation, more);
                try (AttentionResult result = engine.attend(query, key, value, operation)) {
                    outputs.add(result.output().toFloatArray());
                }
            }
        }
        assertThat(outputs).allSatisfy(output -> assertThat(output).isEqualTo(outputs.get(0)));
    }

    private static ForwardTilesTiling smallest() {
        return ForwardTilesTiling.CANDIDATES.get(ForwardTilesTiling.CANDIDATES.size() - 1);
    }

    /** Keys and values beyond a length, and their padding to whole vectors, are NaN; nothing of it may show. */
    @ParameterizedTest
    @MethodSource("devices")
    void wholeVectorsOfViewsAreReadWhereTheyLie(ClDevice device) {
        for (DType dtype : isSlow(device) ? FLOATS : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
            Tensor[] views = new Tensor[3];
            for (int n = 0; n < 3; n++) {
                Tensor wide = random(DType.FLOAT32, 2, 45, 3, 24 + n);
                for (int at = 0; at < wide.elementCount(); at++) {
                    if (at % (24 + n) >= 20) {
                        wide.floats().put(at, Float.NaN);
                    }
                }
                // 24 floats from one row to the next are whole vectors, 25 are not.
                views[n] = wide.to(dtype).slice(3, 0, 20).permute(0, 2, 1, 3);
            }
            AttentionBuilder operation =
                    Attention.builder().causal(Alignment.TOP_LEFT).logSumExp(true);
            if (isSlow(device)) {
                operation.softcap(3);
            }
            try (PlanEngine engine = engine(device, smallest(), 1)) {
                YardstickCheck.check(
                        engine, views[0], views[0], views[0], operation.build(), "whole vectors of " + dtype);
                // Odd strides of the others, and on emulators, are in ForwardTilesTilingTest and StorageTest.
                if (dtype == DType.FLOAT16) {
                    YardstickCheck.check(engine, views[0], views[1], views[2], operation.build(), "odd strides");
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void whatItCannotDoItRefusesByName(ClDevice device) {
        try (DeviceContext context = DeviceContext.open(device, null)) {
            ForwardTiles plan = new ForwardTiles(context);
            Attention weights = Attention.builder().weights(true).build();
            assertThat(plan.whyNot(problem(64, weights)))
                    .hasValueSatisfying(why -> assertThat(why).contains("weights"));
            assertThat(plan.whyNot(problem(1 << 20, Attention.builder().build())))
                    .hasValueSatisfying(why -> assertThat(why).contains("1048576"));
            assertThat(plan.whyNot(problem(256, Attention.builder().build()))).isEmpty();
        }
    }

    private static Workload problem(int valueDim, Attention attention) {
        return Workload.of(new AttentionProblem(1, 2, 2, 16, 16, 64, valueDim, DType.FLOAT32, attention), false);
    }

    private static List<EngineInfo> engines() {
        return TestEngines.openCl();
    }

    /** Of the tilings that a device with small work-groups takes, only the least has room for so many values. */
    @ParameterizedTest
    @MethodSource("engines")
    void wideHeadsFitEveryDevice(EngineInfo info) {
        try (AttentionEngine engine =
                AttentionEngine.open(info.id(), TestEngines.options().withPlan(ForwardTiles.NAME))) {
            Tensor key = random(DType.FLOAT32, 1, 2, 9, 256);
            YardstickCheck.check(
                    engine, random(DType.FLOAT32, 1, 2, 5, 256), key, key, Attention.DEFAULT, "wide heads");
        }
    }
}
