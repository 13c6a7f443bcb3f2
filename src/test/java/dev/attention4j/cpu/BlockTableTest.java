package dev.attention4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.BlockMask;
import dev.attention4j.DType;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.spi.HiddenBlocks;
import dev.attention4j.spi.ScoreTerms;
import dev.attention4j.testing.MasksInRuns;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The blocks that the engine {@code cpu} skips, against a loop over all pairs, and for how long it knows them. */
class BlockTableTest {
    /** A mask as a formula in Java. */
    private interface Mask {
        boolean attends(int batch, int head, int query, int key);
    }

    private static final Mask ALL = (batch, head, query, key) -> true;

    private static AttentionProblem problem(
            int batch, int heads, int keyValueHeads, int queries, int keys, Attention attention) {
        return new AttentionProblem(batch, heads, keyValueHeads, queries, keys, 4, 4, DType.FLOAT32, attention);
    }

    private static void check(AttentionProblem problem, Mask byMask, Mask byExpression) {
        QueryBlock.Cut cut = new QueryBlock.Cut(problem);
        BlockTable table = BlockTable.of(problem, cut, new BlockTable.Kept());
        ScoreTerms terms = new ScoreTerms(problem);
        for (int index = 0; index < cut.blocks(); index++) {
            QueryBlock lanes = cut.block(index);
            byte[] found = table.of(lanes, index, terms);
            for (int first = 0; first < problem.keyLength(); first += KeyBlock.MOST_KEYS) {
                int end = Math.min(problem.keyLength(), first + KeyBlock.MOST_KEYS);
                int mask = 0;
                int expression = 0;
                for (int lane = 0; lane < lanes.count; lane++) {
                    for (int key = first; key < end; key++) {
                        int head = lanes.head[lane];
                        int query = lanes.query[lane];
                        mask |= byMask.attends(lanes.batch, head, query, key)
                                ? HiddenBlocks.SOME_SEEN
                                : HiddenBlocks.SOME_UNSEEN;
                        expression |= byExpression.attends(lanes.batch, head, query, key)
                                ? HiddenBlocks.SOME_SEEN
                                : HiddenBlocks.SOME_UNSEEN;
                    }
                }
                int expected =
                        (mask & expression & HiddenBlocks.SOME_SEEN) | ((mask | expression) & HiddenBlocks.SOME_UNSEEN);
                assertThat(HiddenBlocks.seen(found, KeyBlock.MOST_KEYS, first, end - first))
                        .as("block of queries " + index + ", keys from " + first + " of " + problem.attention())
                        .isEqualTo(expected);
            }
        }
    }

    @Test
    void eachBlockIsWhatItsPairsAre() {
        int[] document = new int[1301];
        for (int n = 0; n < document.length; n++) {
            document[n] = n / 111;
        }
        Attention documents = Attention.builder()
                .maskIf("document[query] == document[key]", ScoreParameters.NONE.with("document", document))
                .build();
        check(problem(2, 2, 2, 301, 1301, documents), ALL, (b, h, q, k) -> document[q] == document[k]);
        Attention byHead = Attention.builder()
                .maskIf("key / 70 <= query / 30 + head - batch")
                .build();
        check(problem(2, 4, 2, 131, 301, byHead), ALL, (b, h, q, k) -> k / 70 <= q / 30 + h - b);
        int[] offsets = {-9, 160};
        Attention causal = Attention.builder()
                .maskIf("key <= position")
                .alignOffsets(offsets)
                .build();
        check(problem(2, 3, 3, 131, 301, causal), ALL, (b, h, q, k) -> k <= q + offsets[b]);
        Attention shortQueries =
                Attention.builder().maskIf("key / 64 != query + keyValueHead").build();
        check(problem(1, 8, 2, 5, 1701, shortQueries), ALL, (b, h, q, k) -> k / 64 != q + h / 4);
        Tensor full = MasksInRuns.draw(0.001, 2, 3, 131, 301);
        check(
                problem(
                        2,
                        3,
                        3,
                        131,
                        301,
                        Attention.builder().blockMask(BlockMask.of(full)).build()),
                (b, h, q, k) -> full.get(b, h, q, k) != 0,
                ALL);
        Tensor shared = MasksInRuns.draw(0.001, 131, 301);
        Attention both = Attention.builder()
                .mask(shared)
                .maskIf("key / 100 == query / 50")
                .build();
        check(
                problem(2, 4, 4, 131, 301, both),
                (b, h, q, k) -> shared.get(q, k) != 0,
                (b, h, q, k) -> k / 100 == q / 50);
    }

    /** One for all calls with equal expression, parameters and lengths, and for one block mask; a plain mask may change. */
    @Test
    void whatCannotChangeIsFoundOnce() {
        BlockTable.Kept kept = new BlockTable.Kept();
        Attention few = documents(3);
        byte[] first = firstBits(few, kept);
        assertThat(firstBits(few, kept)).isSameAs(first);
        assertThat(firstBits(documents(3), kept)).isSameAs(first);
        assertThat(firstBits(documents(4), kept)).isNotSameAs(first);
        Tensor mask = MasksInRuns.draw(0.01, 300, 300);
        Attention blockMask = Attention.builder().blockMask(BlockMask.of(mask)).build();
        assertThat(firstBits(blockMask, kept)).isSameAs(firstBits(blockMask, kept));
        Attention plain = Attention.builder().mask(mask).build();
        assertThat(firstBits(plain, kept)).isNotSameAs(firstBits(plain, kept));
        for (int n = 5; n < 25; n++) {
            firstBits(documents(n), kept);
        }
        assertThat(firstBits(few, kept)).isNotSameAs(first);
    }

    private static Attention documents(int count) {
        int[] document = new int[300];
        for (int n = 0; n < 300; n++) {
            document[n] = n * count / 300;
        }
        return Attention.builder()
                .maskIf("document[query] == document[key]", ScoreParameters.NONE.with("document", document))
                .build();
    }

    private static byte[] firstBits(Attention attention, BlockTable.Kept kept) {
        AttentionProblem problem = problem(1, 4, 4, 300, 300, attention);
        QueryBlock.Cut cut = new QueryBlock.Cut(problem);
        return BlockTable.of(problem, cut, kept).of(cut.block(0), 0, new ScoreTerms(problem));
    }

    /** A bias of millions of numbers in a mask expression would stay in memory as long as the table. */
    @Test
    void nothingIsKeptOfTablesThatAreTooLarge() {
        BlockTable.Kept kept = new BlockTable.Kept();
        int[] level = new int[(1 << 22) + 1];
        Attention attention = Attention.builder()
                .maskIf("level[key] == level[query]", ScoreParameters.NONE.with("level", level))
                .build();
        assertThat(firstBits(attention, kept)).isNotSameAs(firstBits(attention, kept));
        Attention small = Attention.builder()
                .maskIf(
                        "level[key] == level[query]",
                        ScoreParameters.NONE.with("level", Arrays.copyOf(level, level.length - 1)))
                .build();
        assertThat(firstBits(small, kept)).isSameAs(firstBits(small, kept));
    }

    /** Results have weights of 0 for keys that are hidden, so no block is left out. */
    @Test
    void noneIsSkippedWhereWeightsAreWanted() {
        AttentionProblem problem = problem(
                1, 4, 4, 300, 300, documents(3).toBuilder().weights(true).build());
        assertThat(BlockTable.of(problem, new QueryBlock.Cut(problem), new BlockTable.Kept()))
                .isNull();
    }
}
