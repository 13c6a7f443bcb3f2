package dev.attention4j.opencl.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.plan.AttentionPlan;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.DeviceContext;
import dev.attention4j.opencl.runtime.Devices;
import dev.attention4j.spi.HiddenBlocks;
import dev.attention4j.testing.MasksInRuns;
import dev.attention4j.testing.PlanEngine;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of hidden blocks of keys, against a loop over all pairs. */
class MaskBlocksTest {
    private static final int SEEN = 1;
    private static final int UNSEEN = 2;

    /** A mask as a formula in Java. */
    private interface Mask {
        boolean attends(int batch, int head, int query, int key);
    }

    private static final Mask ALL = (batch, head, query, key) -> true;

    private static List<ClDevice> quickDevices() {
        return Devices.find().devices().stream()
                .filter(device -> !device.isEmulator())
                .toList();
    }

    /** Devices, and the first with each width of vectors. */
    static List<ClDevice> devices() {
        List<ClDevice> devices = new ArrayList<>(quickDevices());
        for (int width : new int[] {4, 8, 16}) {
            devices.add(devices.get(0).pretending(width));
        }
        return devices;
    }

    /** Emulators too. */
    static List<ClDevice> allDevices() {
        List<ClDevice> devices = new ArrayList<>(devices());
        Devices.find().devices().stream().filter(ClDevice::isEmulator).forEach(devices::add);
        return devices;
    }

    /** A plan that finds the table and computes nothing. */
    private static final class TablePlan implements AttentionPlan {
        private final DeviceContext context;
        private final MaskBlocks maskBlocks;
        private final MaskBlocks.Shape shape;
        private MaskBlocks.Table table;
        private byte[] bytes;

        TablePlan(DeviceContext context, MaskBlocks.Shape shape) {
            this.context = context;
            this.shape = shape;
            maskBlocks = new MaskBlocks(context);
        }

        @Override
        public String name() {
            return "table";
        }

        @Override
        public String describe(Workload problem, Tunables tunables) {
            return "";
        }

        @Override
        public Division division(Workload problem, Tunables tunables, long maxScratchBytes) {
            return Division.ofHeads(1);
        }

        @Override
        public void enqueue(DeviceCall call) {
            HiddenBlocks hidden = HiddenBlocks.of(call.problem()).orElseThrow();
            table = maskBlocks.of(call, hidden, shape, Long.MAX_VALUE);
            ByteBuffer read =
                    ByteBuffer.allocateDirect(Math.toIntExact(table.buffer().byteSize()));
            context.queue().read(table.buffer(), read);
            context.queue().finish();
            bytes = new byte[read.capacity()];
            read.get(bytes);
        }

        int bits(int batch, int unit, int tile, int block) {
            int at = (int) (batch * table.batchStride() + unit * table.unitStride()) + tile * table.pitch() + block / 4;
            return (bytes[at] >> (block % 4 * 2)) & 3;
        }
    }

    /**
     * Compares a table with what each pair says.
     *
     * @param axes the batch rows and units that the table should have
     */
    private static TablePlan check(
            ClDevice device,
            AttentionProblem shapes,
            Attention attention,
            MaskBlocks.Shape shape,
            Mask byMask,
            Mask byExpression,
            int... axes) {
        TablePlan[] plan = new TablePlan[1];
        try (PlanEngine engine = new PlanEngine(device, context -> plan[0] = new TablePlan(context, shape));
                AttentionResult ignored = engine.attend(
                        Tensor.random(1, shapes.batch(), shapes.queryHeads(), shapes.queryLength(), 4),
                        Tensor.random(2, shapes.batch(), shapes.keyValueHeads(), shapes.keyLength(), 4),
                        Tensor.random(3, shapes.batch(), shapes.keyValueHeads(), shapes.keyLength(), 4),
                        attention)) {
            assertThat(ignored.plan()).isEqualTo("table");
        }
        int units = shapes.queryHeads() / shape.unitHeads();
        int rows = shape.unitHeads() * shapes.queryLength();
        int tiles = (rows + shape.tileRows() - 1) / shape.tileRows();
        int blocks = (shapes.keyLength() + shape.blockKeys() - 1) / shape.blockKeys();
        assertThat(plan[0].table.batchStride() > 0).isEqualTo(axes[0] > 1);
        assertThat(plan[0].table.unitStride() > 0).isEqualTo(axes[1] > 1);
        for (int n = 0; n < shapes.batch() * units * tiles * blocks; n++) {
            int block = n % blocks;
            int tile = n / blocks % tiles;
            int unit = n / blocks / tiles % units;
            int batch = n / blocks / tiles / units;
            int mask = 0;
            int expression = 0;
            for (int row = tile * shape.tileRows(); row < Math.min(rows, (tile + 1) * shape.tileRows()); row++) {
                int head = unit * shape.unitHeads() + row / shapes.queryLength();
                int query = row % shapes.queryLength();
                for (int key = block * shape.blockKeys();
                        key < Math.min(shapes.keyLength(), (block + 1) * shape.blockKeys());
                        key++) {
                    mask |= byMask.attends(batch, head, query, key) ? SEEN : UNSEEN;
                    expression |= byExpression.attends(batch, head, query, key) ? SEEN : UNSEEN;
                }
            }
            // Of a mask and an expression together each has its say for the whole block.
            int expected = (mask & expression & SEEN) | ((mask | expression) & UNSEEN);
            assertThat(plan[0].bits(batch, unit, tile, block))
                    .as("batch row " + batch + ", unit " + unit + ", tile " + tile + ", block " + block + " of "
                            + attention)
                    .isEqualTo(expected);
        }
        return plan[0];
    }

    private static AttentionProblem shapes(int batch, int heads, int keyValueHeads, int queries, int keys) {
        return new AttentionProblem(batch, heads, keyValueHeads, queries, keys, 4, 4, DType.FLOAT32, Attention.DEFAULT);
    }

    private static int[] documents(int length) {
        Random random = new Random(3);
        int[] document = new int[length];
        for (int n = 1; n < length; n++) {
            document[n] = document[n - 1] + (random.nextInt(17) == 0 ? 1 : 0);
        }
        return document;
    }

    @ParameterizedTest
    @MethodSource("allDevices")
    void documentsOfOddSizes(ClDevice device) {
        int[] document = documents(133);
        Attention attention = Attention.builder()
                .maskIf(
                        "document[query] == document[key]",
                        ScoreParameters.NONE.with("document", document, document.length))
                .build();
        Mask sameDocument = (batch, head, query, key) -> document[query] == document[key];
        int[][] all = {{7, 5}, {1, 1}, {16, 48}, {200, 133}, {64, 16}};
        // Emulators build for seconds.
        for (int[] sizes : device.isEmulator() ? Arrays.copyOf(all, 1) : all) {
            MaskBlocks.Shape shape = new MaskBlocks.Shape(1, sizes[0], sizes[1]);
            check(device, shapes(2, 2, 2, 101, 133), attention, shape, ALL, sameDocument, 1, 1);
        }
    }

    /** A table has an axis for batch rows and for heads only where the mask depends on them. */
    @ParameterizedTest
    @MethodSource("devices")
    void axesAreThoseThatTheMaskDependsOn(ClDevice device) {
        MaskBlocks.Shape shape = new MaskBlocks.Shape(1, 6, 9);
        Attention byHead = Attention.builder().maskIf("key <= query + 5 * head").build();
        check(device, shapes(2, 3, 3, 19, 40), byHead, shape, ALL, (b, h, q, k) -> k <= q + 5 * h, 1, 3);
        Attention byBatch = Attention.builder().maskIf("key % 9 > 8 * batch").build();
        check(device, shapes(2, 3, 3, 19, 40), byBatch, shape, ALL, (b, h, q, k) -> k % 9 > 8 * b, 2, 1);
        Attention byKeyValueHead =
                Attention.builder().maskIf("key / 9 != keyValueHead + batch").build();
        check(device, shapes(2, 4, 2, 19, 40), byKeyValueHead, shape, ALL, (b, h, q, k) -> k / 9 != h / 2 + b, 2, 4);
        AttentionBuilder causal = Attention.builder().maskIf("key <= position");
        int[] offsets = {-4, 11};
        check(
                device,
                shapes(2, 1, 1, 19, 40),
                causal.alignOffsets(offsets).build(),
                shape,
                ALL,
                (b, h, q, k) -> k <= q + offsets[b],
                2,
                1);
        check(
                device,
                shapes(2, 1, 1, 19, 40),
                causal.align(Alignment.BOTTOM_RIGHT).keyLengths(40, 25).build(),
                shape,
                ALL,
                (b, h, q, k) -> k <= q + (b == 0 ? 40 : 25) - 19,
                2,
                1);
        check(
                device,
                shapes(2, 1, 1, 19, 40),
                causal.align(Alignment.BOTTOM_RIGHT).keyLengths(33).build(),
                shape,
                ALL,
                (b, h, q, k) -> k <= q + 14,
                1,
                1);
    }

    /** Short queries: the rows of a tile are those of several heads. */
    @ParameterizedTest
    @MethodSource("devices")
    void rowsOfHeadsThatShareKeys(ClDevice device) {
        for (int tileRows : new int[] {4, 7, 32}) {
            MaskBlocks.Shape shape = new MaskBlocks.Shape(2, tileRows, 8);
            Attention byHead =
                    Attention.builder().maskIf("key > 10 * head + query").build();
            check(device, shapes(1, 4, 2, 5, 45), byHead, shape, ALL, (b, h, q, k) -> k > 10 * h + q, 1, 2);
            Attention alike = Attention.builder().maskIf("key > 8 * query").build();
            check(device, shapes(1, 4, 2, 5, 45), alike, shape, ALL, (b, h, q, k) -> k > 8 * q, 1, 1);
            Tensor mask = MasksInRuns.draw(0.1, 4, 5, 45);
            check(
                    device,
                    shapes(2, 4, 2, 5, 45),
                    Attention.builder().mask(mask).build(),
                    shape,
                    (b, h, q, k) -> mask.get(h, q, k) != 0,
                    ALL,
                    1,
                    2);
        }
    }

    /** Boolean masks of each number of axes, with and without unit strides, alone and with an expression. */
    @ParameterizedTest
    @MethodSource("devices")
    void booleanMasks(ClDevice device) {
        AttentionProblem shapes = shapes(2, 3, 3, 37, 70);
        for (MaskBlocks.Shape shape : List.of(
                new MaskBlocks.Shape(1, 5, 33), new MaskBlocks.Shape(1, 64, 16), new MaskBlocks.Shape(1, 1, 2))) {
            Tensor full = MasksInRuns.draw(0.02, 2, 3, 37, 70);
            Mask byFull = (b, h, q, k) -> full.get(b, h, q, k) != 0;
            check(device, shapes, Attention.builder().mask(full).build(), shape, byFull, ALL, 2, 3);
            Tensor shared = MasksInRuns.draw(0.05, 37, 70);
            Mask byShared = (b, h, q, k) -> shared.get(q, k) != 0;
            check(device, shapes, Attention.builder().mask(shared).build(), shape, byShared, ALL, 1, 1);
            Tensor turned = MasksInRuns.draw(0.05, 70, 37);
            check(
                    device,
                    shapes,
                    Attention.builder().mask(turned.permute(1, 0)).build(),
                    shape,
                    (b, h, q, k) -> turned.get(k, q) != 0,
                    ALL,
                    1,
                    1);
            Tensor padding = MasksInRuns.draw(0.5, 2, 1, 1, 70);
            check(
                    device,
                    shapes,
                    Attention.builder().mask(padding).build(),
                    shape,
                    (b, h, q, k) -> padding.get(b, 0, 0, k) != 0,
                    ALL,
                    2,
                    1);
            Attention both = Attention.builder()
                    .mask(shared)
                    .maskIf("key / 16 == query / 10")
                    .build();
            check(device, shapes, both, shape, byShared, (b, h, q, k) -> k / 16 == q / 10, 1, 1);
        }
    }

    /** Of 16 documents, a tile of 32 queries of 512 attends to one of 16 blocks of 32 keys. */
    @Test
    void documentsLeaveTheirOwnBlocks() {
        Attention attention =
                Attention.builder().maskIf("query / 32 == key / 32").build();
        TablePlan plan = check(
                quickDevices().get(0),
                shapes(1, 1, 1, 512, 512),
                attention,
                new MaskBlocks.Shape(1, 32, 32),
                ALL,
                (b, h, q, k) -> q / 32 == k / 32,
                1,
                1);
        int visited = 0;
        int tested = 0;
        for (int n = 0; n < 16 * 16; n++) {
            visited += plan.bits(0, 0, n / 16, n % 16) & SEEN;
            tested += plan.bits(0, 0, n / 16, n % 16) == (SEEN | UNSEEN) ? 1 : 0;
        }
        assertThat(visited).isEqualTo(16);
        assertThat(tested).isZero();
        // Two bits of a block.
        assertThat(plan.table.pitch() * 16).isEqualTo(512 * 512 / (32 * 32) / 4);
    }
}
