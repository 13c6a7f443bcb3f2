package dev.attention4j.cli;

import dev.attention4j.AttentionProblem;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.io.AttentionPage;
import dev.attention4j.spi.ScoreTerms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** The page that {@code attend} draws: for each batch row the weights of all heads, and the mask where one hides anything. */
final class AttendPage {
    /** The most weights of all heads and batch rows: a page of some 10 MB. */
    static final int MOST_WEIGHTS = 1 << 20;

    /** The most queries or keys: a browser's canvas holds no more cells that can be told from each other. */
    static final int MOST_POSITIONS = 1024;

    private AttendPage() {}

    /** Refuses a problem that is too large for a page, or has nothing to draw. */
    static void check(AttentionProblem problem) {
        long[] shape = problem.weightsShape();
        double weights = Arrays.stream(shape).asDoubleStream().reduce(1, (a, b) -> a * b);
        if (weights == 0) {
            throw new IllegalArgumentException("--page: the weights are " + Text.shape(shape)
                    + ", must be at least one of a query and a key; without --page the file is computed");
        }
        if (weights > MOST_WEIGHTS || Math.max(problem.queryLength(), problem.keyLength()) > MOST_POSITIONS) {
            throw new IllegalArgumentException(String.format(
                    Locale.ROOT,
                    "--page: the weights are %s, must be at most %,d in all, of at most %,d queries and keys;"
                            + " a file with fewer batch rows, heads or positions of these tensors fits",
                    Text.shape(shape),
                    MOST_WEIGHTS,
                    MOST_POSITIONS));
        }
    }

    /**
     * Writes the page.
     *
     * @param in the file with the tensors, which names the page
     */
    static void write(Path file, Path in, AttentionProblem problem, Tensor weights) throws IOException {
        String options = AttendRecord.options(
                problem.attention().toBuilder().weights(false).logSumExp(false).build());
        AttentionPage page = new AttentionPage("Attention of " + in.getFileName())
                .positions()
                .subtitle("Options: " + options);
        for (int batch = 0; batch < problem.batch(); batch++) {
            page.text(
                    Integer.toString(batch),
                    queries(problem, batch),
                    IntStream.range(0, problem.keyLength())
                            .mapToObj(Integer::toString)
                            .toList());
            page.layer("weights", weights.slice(0, batch, batch + 1));
            addMask(page, problem, batch);
        }
        OutputFile.write(file, page::write);
    }

    /** The number of each query and, where it is another, its position among the keys. */
    private static List<String> queries(AttentionProblem problem, int batch) {
        return IntStream.range(0, problem.queryLength())
                .mapToObj(query -> {
                    int position = problem.keyRange(batch, query).position();
                    return query + (position == query ? "" : " at " + position);
                })
                .toList();
    }

    /** One picture for all heads, if they have the same mask; none if no pair is masked. */
    private static void addMask(AttentionPage page, AttentionProblem problem, int batch) {
        ScoreTerms terms = new ScoreTerms(problem);
        int keys = problem.keyLength();
        int ofHead = problem.queryLength() * keys;
        boolean[] attends = new boolean[problem.queryHeads() * ofHead];
        for (int row = 0; row < attends.length / keys; row++) {
            int head = row / problem.queryLength();
            int query = row % problem.queryLength();
            KeyRange range = problem.keyRange(batch, query);
            double[] added = terms.read(batch, head, query, range);
            for (int n = 0; n < added.length; n++) {
                attends[row * keys + range.begin() + n] = added[n] != Double.NEGATIVE_INFINITY;
            }
        }
        boolean masks = false;
        boolean ofAll = true;
        for (int n = 0; n < attends.length; n++) {
            masks |= !attends[n];
            ofAll &= attends[n] == attends[n % ofHead];
        }
        if (masks) {
            boolean[] shown = ofAll ? Arrays.copyOf(attends, ofHead) : attends;
            page.mask(Tensor.of(shown, shown.length / ofHead, problem.queryLength(), keys));
        }
    }
}
