package dev.attention4j.conformance.problems;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Inputs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A small attention problem drawn from a seed: odd sizes, empty sizes, any combination of options, rows that are masked
 * through and through, and NaN or infinity in what is masked.
 *
 * @param reproduce the line that draws it again
 */
public record RandomProblem(Tensor query, Tensor key, Tensor value, Attention attention, String reproduce) {
    // The numbers of the options, as draw's only has them; 7 is none of them.
    private static final int SCALE = 0;
    private static final int SOFTCAP = 1;
    private static final int CAUSAL = 2;
    private static final int WINDOW = 3;
    private static final int OFFSETS = 4;
    private static final int MASK = 5;
    private static final int BIAS = 6;
    private static final int KEY_LENGTHS = 8;
    private static final int ALIBI = 9;
    private static final int SINKS = 10;
    private static final int PACKED = 11;
    private static final int QUERY_MASK = 12;
    private static final int PAGES = 13;
    private static final int DROPOUT = 14;

    /** Lengths and widths of problems with dropout: kernels are built for it apart, and for other widths again. */
    private static final int LEAST_QUERIES_DROPPED = 32;

    private static final int MOST_VALUE_DIM_DROPPED = 32;

    private static final int[] LENGTHS = {1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 31, 33, 40, 64, 65, 70, 100};
    private static final int[] WIDTHS = {1, 2, 3, 4, 5, 8, 13, 16, 17, 20, 32, 33, 40, 64, 65, 80};

    /** A cache of 16 bits under float32: one combination of types, because each is built for itself. */
    private static final StorageTypes MIXED = new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16);

    private static final StorageTypes MOST = StorageTypes.of(DType.FLOAT32);

    /** Tensors and operation. */
    public Inputs inputs() {
        return new Inputs(query, key, value, attention);
    }

    /** Draws a problem with a random combination of options. */
    public static RandomProblem draw(long seed) {
        return draw(seed, -1);
    }

    /**
     * Draws a problem with one option alone, or a random combination.
     *
     * @param only 0 to 14: scale, softcap, causal, window, offsets, mask, bias, none, key lengths, ALiBi, sinks, packed
     *     sequences, query mask, pages, dropout; −1 for a combination
     */
    public static RandomProblem draw(long seed, int only) {
        Random random = new Random(seed);
        boolean packed = only >= 0 ? only == PACKED : random.nextInt(5) == 0;
        int batch = packed ? 1 : random.nextInt(20) == 0 ? 0 : 1 + random.nextInt(3);
        int keyValueHeads = 1 + random.nextInt(3);
        int group = random.nextInt(2) == 0 ? 1 : 1 + random.nextInt(3);
        int queryLength = random.nextInt(20) == 0 ? 0 : LENGTHS[random.nextInt(LENGTHS.length)];
        int keyLength = random.nextInt(20) == 0 ? 0 : LENGTHS[random.nextInt(LENGTHS.length)];
        int headDim = WIDTHS[random.nextInt(WIDTHS.length)];
        int valueDim = random.nextBoolean() ? headDim : WIDTHS[random.nextInt(WIDTHS.length)];
        int heads = keyValueHeads * group;
        DType dtype = only >= 0 || random.nextInt(3) > 0
                ? DType.FLOAT32
                : random.nextBoolean() ? DType.FLOAT16 : DType.BFLOAT16;
        Tensor query = tensor(random, batch, heads, queryLength, headDim);
        Tensor key = tensor(random, batch, keyValueHeads, keyLength, headDim);
        Tensor value = tensor(random, batch, keyValueHeads, keyLength, valueDim);

        AttentionBuilder builder =
                Attention.builder().weights(random.nextBoolean()).logSumExp(random.nextBoolean());
        int sequences = packed ? 1 + random.nextInt(6) : batch;
        if (packed) {
            builder.cumulativeLengths(
                    cumulative(random, sequences, queryLength), cumulative(random, sequences, keyLength));
        }
        if (on(random, only, SCALE)) {
            builder.scale(random.nextInt(8) == 0 ? 0 : random.nextGaussian());
        }
        if (on(random, only, SOFTCAP)) {
            builder.softcap(0.1 + 5 * random.nextDouble());
        }
        if (on(random, only, CAUSAL)) {
            builder.causal(random.nextBoolean() ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT);
        }
        if (on(random, only, WINDOW)) {
            builder.window(random.nextInt(12) - 1, random.nextInt(12) - 1);
            builder.align(random.nextBoolean() ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT);
        }
        if (on(random, only, OFFSETS)) {
            int[] offsets = new int[random.nextBoolean() || batch == 0 ? 1 : sequences];
            Arrays.setAll(offsets, n -> random.nextInt(keyLength + queryLength + 3) - queryLength - 1);
            builder.causalOffsets(offsets);
        }
        long[] scores = {batch, heads, queryLength, keyLength};
        if (on(random, only, MASK)) {
            builder.mask(mask(random, broadcast(random, scores)));
        }
        if (on(random, only, BIAS)) {
            builder.bias(bias(random, broadcast(random, scores)));
        }
        if (on(random, only, KEY_LENGTHS) && !packed) {
            int[] lengths = new int[random.nextInt(3) == 0 || batch == 0 ? 1 : batch];
            Arrays.setAll(lengths, row -> random.nextInt(keyLength + 1));
            builder.keyLengths(lengths);
        }
        if (on(random, only, ALIBI)) {
            builder.alibiSlopes(slopes(random, random.nextBoolean() || sequences == 0 ? heads : sequences * heads));
        }
        if (on(random, only, SINKS)) {
            builder.sinks(sinks(random, heads));
        }
        // Of its own stream, so that all else of a seed is as it was before there was this option.
        Random more = new Random(~seed);
        if (on(more, only, QUERY_MASK)) {
            builder.queryMask(mask(more, batch, queryLength));
        }
        StorageTypes storage =
                only < 0 && dtype == DType.FLOAT32 && more.nextInt(6) == 0 ? MIXED : StorageTypes.of(dtype);
        Random yetMore = new Random(~seed * 65);
        // Few of a combination, and of one type: kernels are built for pages apart.
        boolean inPages = only < 0 ? more.nextInt(8) == 0 && storage.equals(MOST) : only == PAGES;
        boolean builtForMost = storage.equals(MOST)
                && !inPages
                && queryLength >= LEAST_QUERIES_DROPPED
                && valueDim <= MOST_VALUE_DIM_DROPPED;
        if (only == DROPOUT && !builtForMost) {
            return draw(seed + 1_000_003, only);
        }
        if (builtForMost && on(yetMore, only, DROPOUT)) {
            builder.dropout(yetMore.nextDouble(), yetMore.nextLong());
        }
        Attention attention = builder.build();
        String reproduce = "RandomProblem.draw(" + seed + "L, " + only + "): " + storage + " batch " + batch + " heads "
                + heads + "/" + keyValueHeads + " lengths " + queryLength + "/" + keyLength + " widths " + headDim + "/"
                + valueDim + " " + attention;
        poisonMasked(random, new RandomProblem(query, key, value, attention, reproduce));
        RandomProblem drawn = new RandomProblem(
                laidOut(random, query.to(storage.query())),
                laidOut(random, key.to(storage.key())),
                laidOut(random, value.to(storage.value())),
                attention,
                reproduce);
        return keyLength > 0 && inPages ? drawn.inPages(more) : drawn;
    }

    /** The same problem with its keys and values in pages, as large as the key length allows, in any order. */
    private RandomProblem inPages(Random random) {
        int batch = (int) key.size(0);
        int pageSize = Integer.lowestOneBit((int) key.size(2));
        int width = (int) key.size(2) / pageSize;
        int pages = batch * width + 1 + random.nextInt(3);
        List<Integer> numbers =
                new ArrayList<>(IntStream.range(0, pages).boxed().toList());
        Collections.shuffle(numbers, random);
        Tensor table = Tensor.zeros(DType.INT32, batch, width);
        for (int n = 0; n < batch * width; n++) {
            table.bytes().asIntBuffer().put(n, numbers.get(n));
        }
        return new RandomProblem(
                query,
                laidOut(random, pool(key, numbers, pageSize)),
                laidOut(random, pool(value, numbers, pageSize)),
                attention.toBuilder().pageTable(table).build(),
                reproduce + " in " + pages + " pages of " + pageSize);
    }

    /** Page numbers.get(n) of the pool has the n-th keys of all batch rows; the others are NaN. */
    private static Tensor pool(Tensor rows, List<Integer> numbers, int pageSize) {
        int width = (int) rows.size(2) / pageSize;
        int heads = (int) rows.size(1);
        int elements = pageSize * (int) rows.size(3);
        float[] all = new float[numbers.size() * heads * elements];
        Arrays.fill(all, Float.NaN);
        float[] from = rows.to(DType.FLOAT32).toFloatArray();
        for (int n = 0; n < rows.size(0) * width; n++) {
            for (int head = 0; head < heads; head++) {
                int page = (n / width * heads + head) * width + n % width;
                System.arraycopy(from, page * elements, all, (numbers.get(n) * heads + head) * elements, elements);
            }
        }
        return Tensor.of(all, numbers.size(), heads, pageSize, rows.size(3)).to(rows.dtype());
    }

    /** Sequences of any lengths, some of them empty. */
    private static int[] cumulative(Random random, int sequences, int length) {
        int[] ends = new int[sequences + 1];
        for (int n = 1; n < sequences; n++) {
            ends[n] = random.nextInt(length + 1);
        }
        ends[sequences] = length;
        Arrays.sort(ends);
        return ends;
    }

    private static boolean on(Random random, int only, int option) {
        return only >= 0 ? only == option : random.nextInt(3) == 0;
    }

    private static Tensor tensor(Random random, long... shape) {
        return Tensor.random(random.nextLong(), shape);
    }

    /** Each axis repeated or not, leading axes left out or not. */
    private static long[] broadcast(Random random, long... scores) {
        int rank = 1 + random.nextInt(4);
        long[] shape = new long[rank];
        for (int axis = 0; axis < rank; axis++) {
            shape[axis] = random.nextInt(3) == 0 ? 1 : scores[4 - rank + axis];
        }
        return shape;
    }

    private static Tensor mask(Random random, long... shape) {
        boolean[] mask = new boolean[elements(shape)];
        int keys = (int) shape[shape.length - 1];
        for (int n = 0; n < mask.length; n++) {
            mask[n] = random.nextInt(4) > 0;
        }
        for (int row = 0; keys > 0 && row < mask.length / keys; row++) {
            if (random.nextInt(6) == 0) {
                Arrays.fill(mask, row * keys, (row + 1) * keys, false);
            }
        }
        return Tensor.of(mask, shape);
    }

    private static float[] slopes(Random random, int count) {
        float[] slopes = new float[count];
        for (int n = 0; n < count; n++) {
            slopes[n] = (float) (0.5 * random.nextGaussian());
        }
        return slopes;
    }

    private static float[] sinks(Random random, int heads) {
        float[] sinks = new float[heads];
        for (int n = 0; n < heads; n++) {
            sinks[n] = random.nextInt(5) == 0 ? Float.NEGATIVE_INFINITY : (float) (2 * random.nextGaussian());
        }
        return sinks;
    }

    private static int elements(long... shape) {
        return (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    }

    private static Tensor bias(Random random, long... shape) {
        float[] bias = new float[elements(shape)];
        for (int n = 0; n < bias.length; n++) {
            bias[n] = random.nextInt(10) == 0 ? Float.NEGATIVE_INFINITY : (float) random.nextGaussian();
        }
        return Tensor.of(bias, shape).to(random.nextInt(3) == 0 ? DType.FLOAT16 : DType.FLOAT32);
    }

    /** Row-major, or as [batch, length, heads, width] seen through strides. */
    private static Tensor laidOut(Random random, Tensor tensor) {
        return random.nextBoolean()
                ? tensor
                : tensor.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3);
    }

    /** Puts NaN or infinity into some keys and values that no query of any head may attend to. */
    private static void poisonMasked(Random random, RandomProblem drawn) {
        AttentionProblem problem = AttentionProblem.of(drawn.query, drawn.key, drawn.value, drawn.attention);
        boolean[] mask = drawn.attention
                .mask()
                .orElse(Tensor.of(new boolean[] {true}, 1))
                .broadcast(problem.weightsShape())
                .toBooleanArray();
        float[] poison = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
        for (int batch = 0; batch < problem.batch(); batch++) {
            for (int head = 0; head < problem.keyValueHeads(); head++) {
                for (int key = 0; key < problem.keyLength(); key++) {
                    if (!isSeen(problem, mask, batch, head, key) && random.nextBoolean()) {
                        float bad = poison[random.nextInt(3)];
                        fill(drawn.key, batch, head, key, bad);
                        fill(drawn.value, batch, head, key, bad);
                    }
                }
            }
        }
    }

    private static boolean isSeen(AttentionProblem problem, boolean[] mask, int batch, int keyValueHead, int key) {
        for (int head = 0; head < problem.queryHeads(); head++) {
            for (int query = 0; problem.keyValueHead(head) == keyValueHead && query < problem.queryLength(); query++) {
                boolean inBand = problem.keyRange(batch, query).contains(key);
                int at = ((batch * problem.queryHeads() + head) * problem.queryLength() + query) * problem.keyLength()
                        + key;
                if (inBand && mask[at]) {
                    return true;
                }
            }
        }
        return false;
    }

    private static void fill(Tensor tensor, long batch, long head, long row, float number) {
        int width = (int) tensor.size(3);
        int start = (int) (((batch * tensor.size(1) + head) * tensor.size(2) + row) * width);
        for (int n = 0; n < width; n++) {
            tensor.floats().put(start + n, number);
        }
    }
}
