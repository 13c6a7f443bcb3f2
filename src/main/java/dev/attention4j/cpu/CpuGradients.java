package dev.attention4j.cpu;

import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.ParameterGradient;
import dev.attention4j.spi.ScoreTerms;
import dev.attention4j.spi.StridedRows;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * The gradients of a call, in plain Java float: first those of the queries, each block of rows by one task that walks the keys; then
 * those of keys and values, each tile of keys by one task that walks the queries of all heads that share it; then those of a bias,
 * each part of it by one task. Sums over all rows are of a fixed number of parts. So the number of threads changes no bit.
 */
final class CpuGradients {
    /** Query rows of a task, and those that are summed before they are added to a total. */
    private static final int ROWS = 64;

    /** The parts that sums over all rows are made of. */
    private static final int PARTS = 16;

    private final GradientCall call;
    private final AttentionProblem problem;
    private final WorkerPool pool;
    private final boolean shares;
    private final GradientTile.Shared shared;
    private final int heads;
    private final int queries;
    private final int keys;
    private final int dim;
    private final int valueDim;
    private final int queryBlocks;
    private final int keyTiles;

    CpuGradients(GradientCall call, WorkerPool pool, boolean shares) {
        this.call = call;
        this.pool = pool;
        this.shares = shares;
        problem = call.problem();
        heads = problem.queryHeads();
        queries = problem.queryLength();
        keys = problem.keyLength();
        dim = problem.headDim();
        valueDim = problem.valueDim();
        queryBlocks = (queries + ROWS - 1) / ROWS;
        keyTiles = (keys + GradientTile.KEYS - 1) / GradientTile.KEYS;
        ScoreTerms terms = new ScoreTerms(problem, Exp::tanh);
        shared = new GradientTile.Shared(
                call,
                terms,
                terms.changesScores() ? new ScoreTerms(call.derivative(), Exp::tanh) : terms,
                new StridedRows(call.query()),
                new StridedRows(call.key()),
                new StridedRows(call.value()),
                new StridedRows(call.outputGradient()),
                call.logSumExp().toFloatArray(),
                rest());
    }

    AttentionGradients compute(String plan) {
        float[] dq = new float[problem.batch() * heads * queries * dim];
        float[] dk = new float[problem.batch() * problem.keyValueHeads() * keys * dim];
        float[] dv = new float[problem.batch() * problem.keyValueHeads() * keys * valueDim];
        run(problem.batch() * heads * queryBlocks, tile -> task -> ofQueries(tile, task, dq));
        run(problem.batch() * problem.keyValueHeads() * keyTiles, tile -> task -> ofKeys(tile, task, dk, dv));
        Map<String, float[]> parameters = new LinkedHashMap<>();
        float[] slopes = new float[problem.attention().alibiSlopes().length];
        if (call.options().alibiSlopes() || !call.options().parameters().isEmpty()) {
            ofAllRows(slopes, parameters);
        }
        return call.gradients(dq, dk, dv, call.options().bias() ? ofBias() : null, ofSinks(), slopes, parameters, plan);
    }

    private interface Task {
        IntConsumer with(GradientTile tile);
    }

    private void run(int count, Task task) {
        pool.run(count, shares, () -> task.with(new GradientTile(shared)));
    }

    /** For each row the gradient of the log-sum-exp less output · its gradient. */
    private float[] rest() {
        float[] rest = new float[problem.batch() * heads * queries];
        float[] logSumExpGradient =
                call.options().logSumExpGradient().map(Tensor::toFloatArray).orElse(new float[rest.length]);
        StridedRows output = new StridedRows(call.output());
        StridedRows gradient = new StridedRows(call.outputGradient());
        float[] o = new float[valueDim];
        float[] g = new float[valueDim];
        for (int row = 0; row < rest.length; row++) {
            int batch = row / queries / heads;
            output.read(batch, row / queries % heads, row % queries, 0, valueDim, o);
            gradient.read(batch, row / queries % heads, row % queries, 0, valueDim, g);
            double sum = logSumExpGradient[row];
            for (int c = 0; c < valueDim; c++) {
                sum -= (double) o[c] * g[c];
            }
            rest[row] = (float) sum;
        }
        return rest;
    }

    /** Each row's sum over a tile of keys is added to its total. */
    private void ofQueries(GradientTile tile, int task, float[] dq) {
        int block = task % queryBlocks;
        int head = task / queryBlocks % heads;
        int batch = task / queryBlocks / heads;
        float[] sum = new float[dim];
        for (int from = 0; from < keys; from += GradientTile.KEYS) {
            tile.read(batch, problem.keyValueHead(head), from);
            for (int i = block * ROWS; i < Math.min(queries, (block + 1) * ROWS); i++) {
                if (tile.row(batch, head, i)) {
                    for (int n = tile.begin; n < tile.end; n++) {
                        if (tile.counts(n)) {
                            GradientTile.add(tile.dx[n], tile.keys, n * dim, sum, 0, dim);
                        }
                    }
                    addTo(dq, ((batch * heads + head) * queries + i) * dim, sum, dim);
                }
            }
        }
    }

    /** The sums over a block of rows are added to the totals. */
    private void ofKeys(GradientTile tile, int task, float[] dk, float[] dv) {
        int from = task % keyTiles * GradientTile.KEYS;
        int keyValueHead = task / keyTiles % problem.keyValueHeads();
        int batch = task / keyTiles / problem.keyValueHeads();
        int group = heads / problem.keyValueHeads();
        tile.read(batch, keyValueHead, from);
        float[] keySums = new float[tile.count * dim];
        float[] valueSums = new float[tile.count * valueDim];
        int at = (batch * problem.keyValueHeads() + keyValueHead) * keys + from;
        for (int head = keyValueHead * group; head < (keyValueHead + 1) * group; head++) {
            for (int i = 0; i < queries; i++) {
                if (tile.row(batch, head, i)) {
                    for (int n = tile.begin; n < tile.end; n++) {
                        if (tile.counts(n)) {
                            GradientTile.add(tile.dx[n], tile.query, 0, keySums, n * dim, dim);
                        }
                        if (tile.counts(n) && tile.keeps(n)) {
                            GradientTile.add(tile.weight[n], tile.outputGradient, 0, valueSums, n * valueDim, valueDim);
                        }
                    }
                }
                if (i % ROWS == ROWS - 1 || i == queries - 1) {
                    addTo(dk, at * dim, keySums, keySums.length);
                    addTo(dv, at * valueDim, valueSums, valueSums.length);
                }
            }
        }
    }

    /** Adds sums to totals, and begins others. */
    private static void addTo(float[] totals, int at, float[] sums, int count) {
        for (int n = 0; n < count; n++) {
            totals[at + n] += sums[n];
            sums[n] = 0;
        }
    }

    /** Visits every row and tile of some blocks of query rows. */
    private void visit(GradientTile tile, int firstBlock, int endBlock, Consumer<int[]> row) {
        for (int task = firstBlock; task < endBlock; task++) {
            int block = task % queryBlocks;
            int head = task / queryBlocks % heads;
            int batch = task / queryBlocks / heads;
            for (int from = 0; from < keys; from += GradientTile.KEYS) {
                tile.read(batch, problem.keyValueHead(head), from);
                for (int i = block * ROWS; i < Math.min(queries, (block + 1) * ROWS); i++) {
                    if (tile.row(batch, head, i)) {
                        row.accept(new int[] {batch, head, i});
                    }
                }
            }
        }
    }

    /** Slopes and parameters. */
    private void ofAllRows(float[] slopes, Map<String, float[]> parameters) {
        int blocks = problem.batch() * heads * queryBlocks;
        double[][] slopeSums = new double[PARTS][slopes.length];
        Map<String, ParameterGradient[]> sums = new LinkedHashMap<>();
        for (String name : call.options().parameters()) {
            ParameterGradient[] parts = new ParameterGradient[PARTS];
            for (int part = 0; part < PARTS; part++) {
                parts[part] = new ParameterGradient(problem, name);
            }
            sums.put(name, parts);
        }
        run(PARTS, tile -> part -> {
            int first = (int) ((long) blocks * part / PARTS);
            int end = (int) ((long) blocks * (part + 1) / PARTS);
            visit(tile, first, end, row -> {
                int count = tile.end - tile.begin;
                double[] ds = new double[count];
                double[] scores = new double[count];
                for (int n = 0; n < count; n++) {
                    ds[n] = tile.ds[tile.begin + n];
                    scores[n] = tile.capped[tile.begin + n];
                }
                int from = tile.from + tile.begin;
                sums.values()
                        .forEach(parts -> parts[part].add(row[0], row[1], row[2], tile.range, from, count, scores, ds));
                if (slopes.length > 0) {
                    double sum = 0;
                    for (int n = 0; n < count; n++) {
                        sum -= ds[n] * Math.abs((double) tile.range.position() - from - n);
                    }
                    slopeSums[part][GradientCall.slope(problem, tile.range.sequence(), row[1])] += sum;
                }
            });
        });
        addParts(slopes, slopeSums);
        sums.forEach((name, parts) -> {
            double[][] ofParts = new double[PARTS][];
            for (int part = 0; part < PARTS; part++) {
                ofParts[part] = parts[part].sums();
            }
            float[] total = new float[ofParts[0].length];
            addParts(total, ofParts);
            parameters.put(name, total);
        });
    }

    private static void addParts(float[] total, double[][] parts) {
        for (int n = 0; n < total.length; n++) {
            double sum = 0;
            for (double[] part : parts) {
                sum += part[n];
            }
            total[n] = (float) sum;
        }
    }

    private float[] ofSinks() {
        double[] sums = new double[problem.attention().sinks().length];
        for (int row = 0; row < shared.rest().length && sums.length > 0; row++) {
            int head = row / queries % heads;
            float sink = problem.sink(head);
            if (sink > Float.NEGATIVE_INFINITY) {
                sums[head] += Math.exp((double) sink - shared.logSumExp()[row]) * shared.rest()[row];
            }
        }
        float[] sinks = new float[sums.length];
        addParts(sinks, new double[][] {sums});
        return sinks;
    }

    /** A task has the part of a bias that one block of rows and one tile of keys read, and visits all that read it. */
    private float[] ofBias() {
        Tensor bias = problem.attention().bias().orElseThrow();
        float[] sums = new float[Math.toIntExact(bias.elementCount())];
        int[] strides = GradientCall.biasStrides(problem);
        // Of an axis that is repeated a task visits all, of another its own part.
        int[] parts = {
            strides[0] == 0 ? 1 : problem.batch(),
            strides[1] == 0 ? 1 : heads,
            strides[2] == 0 ? 1 : queryBlocks,
            strides[3] == 0 ? 1 : keyTiles
        };
        if (sums.length == 0 || queries == 0) {
            return sums;
        }
        run(parts[0] * parts[1] * parts[2] * parts[3], tile -> task -> {
            int[] part = {
                task / parts[3] / parts[2] / parts[1],
                task / parts[3] / parts[2] % parts[1],
                task / parts[3] % parts[2],
                task % parts[3]
            };
            double[] own = new double[ROWS * GradientTile.KEYS];
            for (int t = first(part[3], parts[3]); t < end(part[3], parts[3], keyTiles); t++) {
                for (int batch = first(part[0], parts[0]); batch < end(part[0], parts[0], problem.batch()); batch++) {
                    int read = -1;
                    for (int head = first(part[1], parts[1]); head < end(part[1], parts[1], heads); head++) {
                        if (problem.keyValueHead(head) != read) {
                            read = problem.keyValueHead(head);
                            tile.read(batch, read, t * GradientTile.KEYS);
                        }
                        int begin = first(part[2], parts[2]) * ROWS;
                        int end = Math.min(queries, end(part[2], parts[2], queryBlocks) * ROWS);
                        for (int i = begin; i < end; i++) {
                            if (tile.row(batch, head, i)) {
                                int row = strides[2] == 0 ? 0 : i - begin;
                                for (int n = tile.begin; n < tile.end; n++) {
                                    own[row * GradientTile.KEYS + (strides[3] == 0 ? 0 : n)] += tile.ds[n];
                                }
                            }
                        }
                    }
                }
            }
            int firstRow = part[2] * ROWS;
            int firstKey = part[3] * GradientTile.KEYS;
            int rows = strides[2] == 0 ? 1 : Math.min(ROWS, queries - firstRow);
            int columns = strides[3] == 0 ? 1 : Math.min(GradientTile.KEYS, keys - firstKey);
            for (int row = 0; row < rows; row++) {
                for (int n = 0; n < columns; n++) {
                    sums[
                                    part[0] * strides[0]
                                            + part[1] * strides[1]
                                            + (firstRow + row) * strides[2]
                                            + (firstKey + n) * strides[3]] =
                            (float) own[row * GradientTile.KEYS + n];
                }
            }
        });
        return sums;
    }

    private static int first(int part, int parts) {
        return parts == 1 ? 0 : part;
    }

    private static int end(int part, int parts, int all) {
        return parts == 1 ? all : part + 1;
    }
}
