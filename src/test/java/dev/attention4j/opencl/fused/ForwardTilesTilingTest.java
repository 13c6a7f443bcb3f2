package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.opencl.runtime.Quirks;
import dev.attention4j.testing.PlanEngine;
import dev.attention4j.testing.YardstickCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each tiling, whatever the plan would choose on a device, against the oracle; and which tilings there are. */
class ForwardTilesTilingTest {
    private static final boolean FULL = "full".equals(System.getProperty("grid"));

    /** Of these the first of each list has no whole vectors, so that rows are read element by element. */
    private static final int[] WIDTHS = FULL ? new int[] {1, 8, 40, 64, 80, 128, 200, 256} : new int[] {9, 40};

    /** Work-items that Rusticl launches of this kernel on llvmpipe at a time. */
    private static final int GROUP_ON_EMULATOR = 32;

    private record Forced(ClDevice device, ForwardTilesTiling tiling) {
        @Override
        public String toString() {
            return tiling + " on " + device.platformName();
        }
    }

    private static final List<ForwardTilesTiling> ALL = Stream.concat(
                    ForwardTilesTiling.CANDIDATES.stream(), ForwardTilesTiling.VARIATIONS.stream())
            .toList();

    private static List<Forced> tilings() {
        List<Forced> all = new ArrayList<>();
        for (ClDevice device : Devices.find().devices()) {
            // The others build for a minute on CPUs.
            for (ForwardTilesTiling tiling :
                    FULL || device.type() != ClDevice.Type.CPU ? ALL : ForwardTilesTiling.CANDIDATES) {
                int largestGroup = isSlow(device) ? GROUP_ON_EMULATOR : device.maxWorkGroupSize();
                if (tiling.fits(largestGroup, device.localMemoryBytes(), 1)) {
                    all.add(new Forced(device, tiling));
                }
            }
        }
        return all;
    }

    private static boolean isSlow(ClDevice device) {
        return device.quirks().has(Quirks.Quirk.EMULATOR);
    }

    private static PlanEngine engine(ClDevice device, ForwardTilesTiling tiling, int splits) {
        return new PlanEngine(device, context -> new ForwardTiles(context, tiling, splits));
    }

    private static Tensor random(long... shape) {
        return Tensor.random(Arrays.hashCode(shape), shape);
    }

    /**
     * 37 rows of two heads, 150 keys: no tile is whole, and all tilings walk more than one along the keys. Each width
     * is a build, of several seconds on CPUs: tilings take turns at them, unless {@code -Dgrid=full} gives each all.
     */
    @ParameterizedTest
    @MethodSource("tilings")
    void aTilingIsRightAtEachWidth(Forced forced) {
        ClDevice device = forced.device();
        int run = ALL.indexOf(forced.tiling());
        int[] widths = FULL ? WIDTHS : new int[] {WIDTHS[run % WIDTHS.length]};
        try (PlanEngine one = engine(device, forced.tiling(), 1);
                PlanEngine split = engine(device, forced.tiling(), 2)) {
            for (int width : widths) {
                if (!forced.tiling().fits(device.maxWorkGroupSize(), device.localMemoryBytes(), width)) {
                    continue;
                }
                AttentionBuilder operation = Attention.builder().logSumExp(true);
                if (run % 3 == 0) {
                    operation.causal(Alignment.BOTTOM_RIGHT);
                } else if (run % 3 == 1) {
                    operation.window(60, 9).sinks(0.5f, -1);
                }
                YardstickCheck.check(
                        run % 2 == 0 ? one : split,
                        random(1, 2, 37, width),
                        random(1, 1, 150, width),
                        random(1, 1, 150, width),
                        operation.build(),
                        forced + ", width " + width);
                run++;
            }
        }
        assertThat(run).as("widths that this tiling can do").isGreaterThan(ALL.indexOf(forced.tiling()));
    }

    /** With fewer vectors of dims than passes there are fewer passes. */
    @Test
    void passesAreAsManyAsAWidthHasVectorsFor() {
        ForwardTilesTiling tiling = ForwardTilesTiling.SPACE.of(
                Tunables.parse("ROW_ITEMS=16,COLUMN_ITEMS=16,MICRO_ROWS=8,MICRO_KEYS=8,DIM_SLICE=16,SLICE_KEYS=2,"
                        + "DIM_PASSES=4,PRODUCT_UNROLL=8"));
        assertThat(tiling.passes(64)).isEqualTo(1);
        assertThat(tiling.passes(128)).isEqualTo(2);
        assertThat(tiling.passes(192)).isEqualTo(1);
        assertThat(tiling.passes(256)).isEqualTo(4);
    }

    @Test
    void theKernelTakesAllThatIsWorthTiming() {
        assertThat(ALL).doesNotHaveDuplicates().allSatisfy(tiling -> assertThat(
                        ForwardTilesTiling.SPACE.of(tiling.tunables()))
                .isEqualTo(tiling));
    }

    @Test
    void someTilingFitsEachWidthOnSmallDevices() {
        for (long localMemoryBytes : new long[] {32 << 10, 48 << 10, 64 << 10}) {
            for (int largestGroup : new int[] {64, 128, 256}) {
                for (int width = 1; width <= 256; width++) {
                    int valueDim = width;
                    assertThat(ForwardTilesTiling.CANDIDATES)
                            .as("width %s, %s bytes, %s work-items", width, localMemoryBytes, largestGroup)
                            .anyMatch(tiling -> tiling.fits(largestGroup, localMemoryBytes, valueDim));
                }
            }
        }
    }

    /** Values are read in runs of four keys, of which a slice must be a part. */
    @Test
    void slicesOfKeysAreOneTwoOrFour() {
        String tiles = "ROW_ITEMS=4,COLUMN_ITEMS=8,MICRO_ROWS=4,MICRO_KEYS=8,DIM_SLICE=16,DIM_PASSES=1,"
                + "PRODUCT_UNROLL=2,SLICE_KEYS=";
        assertThat(ForwardTilesTiling.SPACE.of(Tunables.parse(tiles + 4)).sliceKeys())
                .isEqualTo(4);
        for (int keys : new int[] {0, 3, 8}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> ForwardTilesTiling.SPACE.of(Tunables.parse(tiles + keys)))
                    .withMessageContaining("SLICE_KEYS one of [1, 2, 4]");
        }
    }
}
