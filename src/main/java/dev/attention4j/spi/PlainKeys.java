package dev.attention4j.spi;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.RowCopy;
import dev.attention4j.Tensor;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A problem whose keys and values lie one after another, for code that does not read them by {@link
 * dev.attention4j.Attention#pageTable}.
 *
 * @param problem without a page table
 * @param key [batch, keyValueHeads, keyLength, headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim]
 */
public record PlainKeys(AttentionProblem problem, Tensor key, Tensor value) {
    /** Gathers the pages of a problem whose tensors are on the host; returns what is given if there are none. */
    public static PlainKeys of(AttentionProblem problem, Tensor key, Tensor value) {
        Tensor table = problem.attention().pageTable().orElse(null);
        if (table == null) {
            return new PlainKeys(problem, key, value);
        }
        AttentionProblem plain = new AttentionProblem(
                problem.batch(),
                problem.queryHeads(),
                problem.keyValueHeads(),
                problem.queryLength(),
                problem.keyLength(),
                problem.headDim(),
                problem.valueDim(),
                problem.storage(),
                problem.attention().toBuilder().pageTable(null).build());
        List<RowCopy> pages = pages(problem, table);
        return new PlainKeys(plain, gather(plain, key, pages), gather(plain, value, pages));
    }

    private static Tensor gather(AttentionProblem problem, Tensor pool, List<RowCopy> pages) {
        Tensor rows =
                Tensor.zeros(pool.dtype(), problem.batch(), problem.keyValueHeads(), problem.keyLength(), pool.size(3));
        HostEngine.copy(rows, pool, pages);
        return rows;
    }

    /** Returns the pages that hold keys. */
    private static List<RowCopy> pages(AttentionProblem problem, Tensor table) {
        IntBuffer numbers = table.contiguous().bytes().asIntBuffer();
        List<RowCopy> pages = new ArrayList<>();
        for (int row = 0; row < problem.batch(); row++) {
            int length = KeyRange.rowKeyLength(problem, row);
            for (int first = 0; first < length; first += problem.pageSize()) {
                int page = numbers.get((int) (row * table.size(1)) + first / problem.pageSize());
                pages.add(new RowCopy(page, 0, row, first, Math.min(problem.pageSize(), length - first)));
            }
        }
        return pages;
    }
}
