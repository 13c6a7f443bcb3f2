package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Parameter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** The tables of docs/expressions.md that say how FlexAttention's examples are written here: each against its formula. */
class ExpressionsDocumentTest {
    private static final int BATCH = 2;
    private static final int HEADS = 2;
    private static final int LENGTH = 24;
    private static final float[] SLOPE = {0.5f, 0.25f};
    private static final float[] RATIO = {4, 8};
    private static final float[] NEAR = floats(1, LENGTH);
    private static final float[] PAIR = floats(2, LENGTH * LENGTH);
    private static final float[] BIAS = floats(3, HEADS * LENGTH * LENGTH);
    private static final float[] ALL = floats(4, BATCH * HEADS * LENGTH * LENGTH);
    private static final float[] BUCKET_BIAS = floats(5, 4 * HEADS);
    private static final float[] HOP = floats(6, HEADS * 6);
    private static final float[] EDGE = floats(7, HEADS * 2 * 3);
    private static final int[] HOPS = ints(BATCH * LENGTH * LENGTH, n -> n * 7 % 6);
    private static final int[] TYPE = ints(BATCH * LENGTH * LENGTH * 2, n -> n * 5 % 3);
    private static final int[] BUCKET = ints(11, n -> Math.abs(n - 5) / 2 + (n > 5 ? 1 : 0));
    private static final int[] OFFSET = ints(LENGTH, n -> n * 11 % LENGTH);
    private static final int[] PREFIX = {5, 11};
    private static final int[] VALID = {20, 13};
    private static final int[] DOCUMENT = ints(LENGTH, n -> n < 4 ? 0 : n < 9 ? 1 : n < 17 ? 2 : 3);
    private static final int[] PROMPT = {0, 0, 0, 3};
    private static final int[] PARAGRAPH = ints(BATCH * LENGTH, n -> n / 5);
    private static final int[] GLOBAL = ints(LENGTH, n -> n % 11 == 3 ? 1 : 0);
    /** Tiles of 2 × 2 in an image of 6 × 4, one after another. */
    private static final int[] X = ints(LENGTH, n -> n / 4 % 3 * 2 + n % 2);

    private static final int[] Y = ints(LENGTH, n -> n / 12 * 2 + n / 2 % 2);
    private static final int[] CHOSEN = ints(HEADS * 12 * 12, n -> n * 13 % 5 == 0 ? 1 : 0);
    private static final int[] PICTURE = ints(LENGTH, n -> n / 8);
    private static final int[] BEGIN = {0, 3, 14};
    private static final int[] END = {14, 14, LENGTH};
    private static final int[] ANCESTOR = ints(LENGTH * LENGTH, n -> n * 17 % 3 == 0 ? 1 : 0);

    private static final ScoreParameters PARAMETERS = ScoreParameters.NONE
            .with("cap", 1.5)
            .with("distance", 5)
            .with("radius", 1)
            .with("which", 1)
            .with("window", 5)
            .with("sinks", 3)
            .with("dilation", 2)
            .with("width", 6)
            .with("height", 4)
            .with("tile", 2)
            .with("tiles", 3)
            .with("rows", 3)
            .with("image", 18)
            .with("text", 3)
            .with("frames", 2)
            .with("frame", 4)
            .with("clean", 12)
            .with("n", 1)
            .with("slope", SLOPE)
            .with("ratio", RATIO)
            .with("near", NEAR)
            .with("pair", PAIR, LENGTH, LENGTH)
            .with("bias", BIAS, HEADS, LENGTH, LENGTH)
            .with("all", ALL, BATCH, HEADS, LENGTH, LENGTH)
            .with("bucketBias", BUCKET_BIAS, 4, HEADS)
            .with("hop", HOP, HEADS, 6)
            .with("edge", EDGE, HEADS, 2, 3)
            .with("hops", HOPS, BATCH, LENGTH, LENGTH)
            .with("type", TYPE, BATCH, LENGTH, LENGTH, 2)
            .with("bucket", BUCKET)
            .with("offset", OFFSET)
            .with("prefix", PREFIX)
            .with("length", VALID)
            .with("document", DOCUMENT)
            .with("prompt", PROMPT)
            .with("paragraph", PARAGRAPH, BATCH, LENGTH)
            .with("global", GLOBAL)
            .with("x", X)
            .with("y", Y)
            .with("chosen", CHOSEN, HEADS, 12, 12)
            .with("picture", PICTURE)
            .with("begin", BEGIN)
            .with("end", END)
            .with("ancestor", ANCESTOR, LENGTH, LENGTH);

    /** The value of a score for a pair of query and key. */
    private interface Score {
        double of(int batch, int head, int query, int key, double score);
    }

    /** True where a query attends to a key. */
    private interface Mask {
        boolean of(int batch, int head, int query, int key);
    }

    private static float[] floats(long seed, int count) {
        Random random = new Random(seed);
        float[] floats = new float[count];
        for (int n = 0; n < count; n++) {
            floats[n] = (float) random.nextGaussian();
        }
        return floats;
    }

    private static int[] ints(int count, IntUnaryOperator number) {
        int[] ints = new int[count];
        Arrays.setAll(ints, number);
        return ints;
    }

    private static Map<String, Score> scores() {
        Map<String, Score> scores = new HashMap<>();
        scores.put("no change", (b, h, q, k, s) -> s);
        scores.put("relative position", (b, h, q, k, s) -> s + q - k);
        scores.put("causal by the score", (b, h, q, k, s) -> k <= q ? s : Double.NEGATIVE_INFINITY);
        scores.put("ALiBi", (b, h, q, k, s) -> s - SLOPE[h] * Math.abs(q - k));
        scores.put("soft-capping", (b, h, q, k, s) -> 1.5 * Math.tanh(s / 1.5));
        scores.put(
                "T5's relative bias",
                (b, h, q, k, s) -> s + BUCKET_BIAS[BUCKET[Math.max(-5, Math.min(5, k - q)) + 5] * HEADS + h]);
        scores.put("learned bias by distance", (b, h, q, k, s) -> s + NEAR[Math.abs(q - k)]);
        scores.put(
                "learned bias by distance in a window",
                (b, h, q, k, s) -> s + NEAR[Math.max(0, Math.min(2, q - k + 1))]);
        scores.put("learned bias by query and key", (b, h, q, k, s) -> s + PAIR[q * LENGTH + k]);
        scores.put("learned bias of each head", (b, h, q, k, s) -> s + BIAS[(h * LENGTH + q) * LENGTH + k]);
        scores.put(
                "learned bias of each batch row and head",
                (b, h, q, k, s) -> s + ALL[((b * HEADS + h) * LENGTH + q) * LENGTH + k]);
        scores.put("learned bias of a key", (b, h, q, k, s) -> s + NEAR[k]);
        scores.put("learned factor of a query", (b, h, q, k, s) -> s * NEAR[q]);
        scores.put(
                "a bias chosen by a parameter",
                (b, h, q, k, s) -> s + ALL[((b * HEADS + h) * LENGTH + 1) * LENGTH + q]);
        scores.put("a bias by an offset", (b, h, q, k, s) -> s + NEAR[q * 11 % LENGTH]);
        scores.put("Sandwich", (b, h, q, k, s) -> s + NEAR[Math.abs(q - k)] / (4.0 * (h + 1)));
        scores.put("Graphormer, spatial encoding", (b, h, q, k, s) -> s + HOP[h * 6 + hops(b, q, k)]);
        scores.put("Graphormer, edge encoding of two steps", (b, h, q, k, s) -> {
            double sum = 0;
            for (int step = 0; step < Math.min(2, hops(b, q, k)); step++) {
                sum += EDGE[(h * 2 + step) * 3 + TYPE[((b * LENGTH + q) * LENGTH + k) * 2 + step]];
            }
            return s + sum / Math.max(1, hops(b, q, k));
        });
        scores.put("ReLU in place of softmax", (b, h, q, k, s) -> Math.log(Math.max(s, 0) + 1));
        scores.put("sigmoid in place of softmax", (b, h, q, k, s) -> -Math.log1p(Math.exp(-s)));
        return scores;
    }

    private static int hops(int batch, int query, int key) {
        return HOPS[(batch * LENGTH + query) * LENGTH + key];
    }

    private static Map<String, Mask> masks() {
        Map<String, Mask> masks = new HashMap<>();
        masks.put("causal", (b, h, q, k) -> k <= q);
        masks.put("sliding window", (b, h, q, k) -> k <= q && k > q - 5);
        masks.put("sliding window and the first keys", (b, h, q, k) -> k <= q && (k > q - 5 || k < 3));
        masks.put("dilated sliding window", (b, h, q, k) -> k == q || k == q - 2 || k == q - 4);
        masks.put("dilated window to both sides", (b, h, q, k) -> k == q || Math.abs(q - k) == 2);
        masks.put("prefix LM", (b, h, q, k) -> k <= q || k < PREFIX[b]);
        masks.put("documents", (b, h, q, k) -> DOCUMENT[q] == DOCUMENT[k]);
        masks.put("documents, causal", (b, h, q, k) -> k <= q && DOCUMENT[q] == DOCUMENT[k]);
        masks.put(
                "documents with padding",
                (b, h, q, k) -> k < VALID[b] && PARAGRAPH[b * LENGTH + q] == PARAGRAPH[b * LENGTH + k]);
        masks.put("answers that share a prompt", (b, h, q, k) -> {
            // Tokens 0 to 3 are the prompt of the next two documents, and the last document is one of its own.
            int begin = q < 4 ? 0 : q < 9 ? 4 : q < 17 ? 9 : 17;
            return k <= q && (k >= begin || (q < 17 && k < 4));
        });
        masks.put("window and global tokens", (b, h, q, k) -> Math.abs(q - k) <= 1 || q % 11 == 3 || k % 11 == 3);
        masks.put(
                "neighbours in an image",
                (b, h, q, k) -> Math.max(Math.abs(q / 6 - k / 6), Math.abs(q % 6 - k % 6)) <= 1);
        masks.put("NATTEN", (b, h, q, k) -> natten(q % 6, q / 6, k % 6, k / 6));
        masks.put("NATTEN in tiles or along a Morton curve", (b, h, q, k) -> natten(X[q], Y[q], X[k], Y[k]));
        // 3 × 3 tiles of two tokens, of which a window of 3 × 3 tiles sees all.
        masks.put("sliding tile attention", (b, h, q, k) -> q >= 18 || k >= 18 || Math.max(q, k) < 18);
        masks.put("Sparse VideoGen, spatial head", (b, h, q, k) -> q < 3 || k < 3 || Math.abs(q - k) < 8);
        masks.put("Sparse VideoGen, temporal head", (b, h, q, k) -> q < 3 || k < 3 || (q - 3) % 4 == (k - 3) % 4);
        masks.put("video sparse attention", (b, h, q, k) -> (h * 144 + q / 2 * 12 + k / 2) * 13 % 5 == 0);
        masks.put("Flamingo", (b, h, q, k) -> k < 8 ? q < 14 : k < 16 ? q >= 3 && q < 14 : q >= 14);
        masks.put("block diffusion", (b, h, q, k) -> {
            int of = q % 12 / 2;
            int other = k % 12 / 2;
            return q < 12 ? (k < 12 ? of == other : other < of) : k >= 12 && other <= of;
        });
        masks.put("tree of drafted tokens", (b, h, q, k) -> k < 3 || (q * LENGTH + k - 3) * 17 % 3 == 0);
        masks.put(
                "drafted blocks after a text", (b, h, q, k) -> k < 3 || ((k - 3) / 2 == q / 2 && (k - 3) % 2 <= q % 2));
        masks.put("another mask for some heads", (b, h, q, k) -> h == 0 ? k <= q : Math.abs(q - k) <= 1);
        return masks;
    }

    /** Of 6 × 4, in the 3 × 3 around a pixel or, at an edge, the nearest 3 × 3 within the image. */
    private static boolean natten(int x, int y, int otherX, int otherY) {
        int left = Math.max(0, Math.min(3, x - 1));
        int top = Math.max(0, Math.min(1, y - 1));
        return otherX >= left && otherX < left + 3 && otherY >= top && otherY < top + 3;
    }

    /** The expressions of the document's tables by what they are; the others by the option that is named there. */
    private static Map<String, String> rows() throws IOException {
        String document = Files.readString(Path.of("docs", "expressions.md"));
        String section = document.substring(document.indexOf("## FlexAttention's examples"));
        Map<String, String> rows = new LinkedHashMap<>();
        section.lines().filter(line -> line.matches("\\| .*`.*")).forEach(line -> {
            String[] columns = line.substring(2).split(" \\| ", 2);
            String name = columns[0].split(" \\(|:|, (?:by|and|with|likewise)", 2)[0];
            String expression = columns[1].split("`", 3)[1].replace("\\|", "|");
            assertThat(rows.put(name, expression)).as(name).isNull();
        });
        return rows;
    }

    private static Expressions expressions(ScoreExpression expression) {
        Set<String> names = new HashSet<>(expression.scalars());
        names.addAll(expression.tables());
        Map<String, Parameter> used = new HashMap<>(PARAMETERS.values());
        used.keySet().retainAll(names);
        return expression.isBoolean()
                ? Expressions.NONE.withMask(expression.expression(), used)
                : Expressions.NONE.withScore(expression.expression(), used);
    }

    @Test
    void eachExampleIsItsFormula() throws IOException {
        Map<String, Score> scores = scores();
        Map<String, Mask> masks = masks();
        Map<String, String> rows = rows();
        Set<String> options = Set.of(
                "an offset in decoding",
                "page tables",
                "`create_block_mask(mask_mod, B, H, Q_LEN, KV_LEN)`",
                "a block mask of a boolean tensor");
        Set<String> known = new HashSet<>(scores.keySet());
        known.addAll(masks.keySet());
        known.addAll(options);
        assertThat(rows.keySet()).containsExactlyInAnyOrderElementsOf(known);
        rows.forEach((name, text) -> {
            if (!options.contains(name)) {
                Expressions expressions = expressions(ScoreExpression.parse(text));
                for (int row = 0; row < BATCH * HEADS * LENGTH; row++) {
                    int batch = row / LENGTH / HEADS;
                    int head = row / LENGTH % HEADS;
                    check(name, expressions, scores.get(name), masks.get(name), batch, head, row % LENGTH);
                }
            }
        });
    }

    private static void check(
            String name, Expressions expressions, Score score, Mask mask, int batch, int head, int query) {
        if (mask != null) {
            int[] attends = expressions
                    .maskInFloat(LENGTH, LENGTH, x -> (float) Math.tanh(x))
                    .attends(batch, head, head, query, query, 0, LENGTH);
            for (int key = 0; key < LENGTH; key++) {
                assertThat(attends[key] == 1)
                        .as("%s: %d %d", name, query, key)
                        .isEqualTo(mask.of(batch, head, query, key));
            }
            return;
        }
        double[] got = new double[LENGTH];
        Arrays.setAll(got, key -> Math.sin(query + 3.0 * key));
        double[] given = got.clone();
        expressions.scoreInDouble(LENGTH, LENGTH).replace(batch, head, head, query, query, 0, LENGTH, got);
        for (int key = 0; key < LENGTH; key++) {
            double want = score.of(batch, head, query, key, given[key]);
            if (Double.isInfinite(want)) {
                assertThat(got[key]).as(name).isEqualTo(want);
            } else {
                assertThat(got[key]).as("%s: %d %d", name, query, key).isCloseTo(want, within(1e-6));
            }
        }
    }
}
