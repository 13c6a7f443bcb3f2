package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.BlockMask;
import dev.attention4j.EngineInfo;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.spi.HiddenBlocks;
import dev.attention4j.testing.MasksInRuns;
import dev.attention4j.testing.PlanEngine;
import dev.attention4j.testing.TestEngines;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** When a table of hidden blocks is found and how long it is kept, and that kernels do as it says. */
class KeptMaskBlocksTest {
    private static int[] documents(int length) {
        Random random = new Random(3);
        int[] document = new int[length];
        for (int n = 1; n < length; n++) {
            document[n] = document[n - 1] + (random.nextInt(17) == 0 ? 1 : 0);
        }
        return document;
    }

    /** A table that says something else is believed: blocks that it hides are skipped, and those that all see are not tested. */
    @Test
    void kernelsBelieveTheTable() {
        Tensor query = Tensor.random(1, 1, 1, 70, 8);
        Tensor key = Tensor.random(2, 1, 1, 600, 8);
        Tensor value = Tensor.random(3, 1, 1, 600, 8);
        BlockMask mask = BlockMask.of(MasksInRuns.draw(0.5, 70, 600));
        Attention attention = Attention.builder().blockMask(mask).build();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);
        ClDevice device = Devices.find().devices().stream()
                .filter(found -> !found.isEmulator())
                .findFirst()
                .orElseThrow();
        ForwardRowsTiling rows = ForwardRowsTiling.choose(device, Workload.of(problem, false), 70)
                .orElseThrow();
        ForwardTilesTiling tiles = ForwardTilesTiling.CANDIDATES.get(5);
        for (boolean ofRows : new boolean[] {true, false}) {
            DeviceContext[] opened = new DeviceContext[1];
            MaskBlocks.Shape shape = ofRows
                    ? new MaskBlocks.Shape(1, rows.rows(), rows.keyBlock())
                    : new MaskBlocks.Shape(1, tiles.tileRows(), tiles.tileKeys());
            try (PlanEngine engine = new PlanEngine(device, context -> {
                opened[0] = context;
                return ofRows ? new ForwardRows(context) : new ForwardTiles(context, tiles, 1);
            })) {
                engine.attend(query, key, value, attention).close();
                Object contents =
                        List.of(HiddenBlocks.of(problem).orElseThrow().key().orElseThrow(), shape);
                ClBuffer kept = opened[0].pool().kept(contents);
                assertThat(kept).as("kept for " + shape).isNotNull();
                ByteBuffer table = ByteBuffer.allocateDirect((int) kept.byteSize());
                int pitch = (600 + 4 * shape.blockKeys() - 1) / (4 * shape.blockKeys());
                for (int n = 0; n < table.capacity(); n++) {
                    // None for the first tile of rows, all for the others.
                    table.put(n, (byte) (n < pitch ? 0xAA : 0x55));
                }
                opened[0].queue().write(kept, table);
                opened[0].queue().finish();
                float[] output =
                        engine.attend(query, key, value, attention).output().toFloatArray();
                try (AttentionEngine oracle = AttentionEngine.open("oracle")) {
                    float[] unmasked = oracle.attend(query, key, value).output().toFloatArray();
                    for (int n = 0; n < output.length; n++) {
                        float expected = n / 8 < shape.tileRows() ? 0 : unmasked[n];
                        assertThat(output[n]).isEqualTo(expected, within(1e-5f));
                    }
                }
            }
        }
    }

    /** Returns the kernels of calls, one after another. */
    private static List<List<String>> kernels(EngineInfo info, String plan, int length, Attention... calls) {
        Tensor query = Tensor.random(1, 1, 2, length, 4);
        List<List<String>> kernels = new ArrayList<>();
        try (OpenClEngine engine = (OpenClEngine)
                AttentionEngine.open(info.id(), TestEngines.options().withPlan(plan))) {
            for (Attention attention : calls) {
                List<ClEvent> events = new ArrayList<>();
                engine.profileInto(events);
                engine.attend(query, query, query, attention).close();
                engine.profileInto(null);
                kernels.add(events.stream().map(ClEvent::command).toList());
                events.forEach(ClEvent::close);
            }
        }
        return kernels;
    }

    /** A table is found once for an expression with these parameters and positions; other values are another table. */
    @Test
    void aTableIsKeptForExpressionAndParameters() {
        int length = 1030;
        int[] document = documents(length);
        int[] other = document.clone();
        Arrays.fill(other, 500, length, 1000);
        String mask = "document[query] == document[key]";
        Attention first = Attention.builder().maskIf(mask, table(document)).build();
        Attention equal = Attention.builder().maskIf(mask, table(document)).build();
        Attention changed = Attention.builder().maskIf(mask, table(other)).build();
        Attention causal = Attention.builder().maskIf("key <= position").build();
        Attention moved = causal.toBuilder().alignOffsets(7).build();
        List<String> finding = List.of("mask_blocks", "forward_rows");
        List<String> knowing = List.of("forward_rows");
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            assertThat(kernels(
                            info, "rows", length, first, first, equal, changed, changed, first, causal, moved, causal))
                    .containsExactly(finding, knowing, knowing, finding, knowing, knowing, finding, finding, knowing);
        }
    }

    private static ScoreParameters table(int... document) {
        return ScoreParameters.NONE.with("document", document, document.length);
    }

    /** Whatever calls there were, only the last few tables are kept. */
    @Test
    void onlyTheLastTablesAreKept() {
        int length = 100;
        Attention[] calls = new Attention[19];
        Arrays.setAll(calls, n -> Attention.builder()
                .blockMask(BlockMask.of(MasksInRuns.draw(0.1, length, length)))
                .build());
        calls[17] = calls[16];
        calls[18] = calls[0];
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            List<List<String>> kernels = kernels(info, "rows", length, calls);
            assertThat(kernels.get(17)).containsExactly("forward_rows");
            assertThat(kernels.get(18)).containsExactly("mask_blocks", "forward_rows");
        }
    }

    /** The elements of a mask that is no block mask may change: nothing is kept of it. */
    @Test
    void nothingIsKeptOfAPlainMask() {
        Attention plain =
                Attention.builder().mask(MasksInRuns.draw(0.01, 600, 600)).build();
        for (EngineInfo info : TestEngines.quickOpenCl()) {
            assertThat(kernels(info, "rows", 600, plain)).containsExactly(List.of("forward_rows"));
            List<String> finding = List.of("mask_blocks", "forward_tiles");
            assertThat(kernels(info, "tiles", 600, plain, plain)).containsExactly(finding, finding);
        }
    }
}
