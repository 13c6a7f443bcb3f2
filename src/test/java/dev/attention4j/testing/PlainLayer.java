package dev.attention4j.testing;

import dev.attention4j.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/**
 * An attention layer written down plainly, position by position, in double or, with every step rounded, in float.
 * Shares no code with the library's.
 */
public final class PlainLayer {
    /** Says whether a query may attend to a key, by indices on the inputs' axes without the features. */
    public interface Mask {
        boolean attends(int[] query, int[] key, int head);
    }

    private final Map<String, Tensor> weights;
    private final int[] axes;
    private final Mask mask;
    private final DoubleUnaryOperator rounded;

    /** The output, row-major: the query's positions, then the outputs. */
    public double[] output;

    /** The scores, row-major: axes not attended over, heads, the query's positions, the key's. */
    public double[] scores;

    private PlainLayer(Map<String, Tensor> weights, int[] axes, Mask mask, DoubleUnaryOperator rounded) {
        this.weights = weights;
        this.axes = axes;
        this.mask = mask;
        this.rounded = rounded;
    }

    public static PlainLayer inDouble(
            Map<String, Tensor> weights, Tensor query, Tensor value, Tensor key, int[] axes, Mask mask) {
        return new PlainLayer(weights, axes, mask, x -> x).compute(query, value, key);
    }

    public static PlainLayer inFloat(
            Map<String, Tensor> weights, Tensor query, Tensor value, Tensor key, int[] axes, Mask mask) {
        return new PlainLayer(weights, axes, mask, x -> (float) x).compute(query, value, key);
    }

    private PlainLayer compute(Tensor query, Tensor value, Tensor key) {
        double[][] queries = project("query", rows(query));
        double[][] keys = project("key", rows(key));
        double[][] values = project("value", rows(value));
        double[][] gates = weights.containsKey("gate.kernel") ? project("gate", rows(query)) : null;
        int heads = size("query.kernel", 1);
        int group = heads / size("key.kernel", 1);
        int keyDim = size("query.kernel", 2);
        int valueDim = size("value.kernel", 2);
        int[] free = IntStream.range(0, query.rank() - 1)
                .filter(axis -> IntStream.of(axes).noneMatch(a -> a == axis))
                .toArray();
        double[][] attended = new double[queries.length][heads * valueDim];
        List<Double> allScores = new ArrayList<>();
        for (int[] outer : indices(sizes(query, free))) {
            for (int head = 0; head < heads; head++) {
                for (int[] from : indices(sizes(query, axes))) {
                    int[] queryIndex = merge(free, outer, from);
                    int queryRow = flat(queryIndex, query);
                    List<int[]> keyIndices = new ArrayList<>();
                    for (int[] to : indices(sizes(key, axes))) {
                        keyIndices.add(merge(free, outer, to));
                    }
                    double[] row = new double[keyIndices.size()];
                    for (int j = 0; j < row.length; j++) {
                        row[j] = mask.attends(queryIndex, keyIndices.get(j), head)
                                ? score(queries[queryRow], keys[flat(keyIndices.get(j), key)], head, group, keyDim)
                                : Double.NEGATIVE_INFINITY;
                    }
                    softmax(row);
                    for (int j = 0; j < row.length; j++) {
                        allScores.add(row[j]);
                        double[] valueRow = values[flat(keyIndices.get(j), value)];
                        for (int n = 0; row[j] != 0 && n < valueDim; n++) {
                            int at = head * valueDim + n;
                            attended[queryRow][at] =
                                    r(attended[queryRow][at] + r(row[j] * valueRow[head / group * valueDim + n]));
                        }
                    }
                }
            }
        }
        for (int n = 0; gates != null && n < attended.length; n++) {
            for (int at = 0; at < attended[n].length; at++) {
                attended[n][at] = r(attended[n][at] * r(1 / (1 + Math.exp(-gates[n][at]))));
            }
        }
        scores = allScores.stream().mapToDouble(Double::doubleValue).toArray();
        output = Arrays.stream(project("attention_output", attended))
                .flatMapToDouble(Arrays::stream)
                .toArray();
        return this;
    }

    private double score(double[] query, double[] key, int head, int group, int keyDim) {
        double sum = 0;
        for (int n = 0; n < keyDim; n++) {
            sum = r(sum + r(query[head * keyDim + n] * key[head / group * keyDim + n]));
        }
        return r(sum / Math.sqrt(keyDim));
    }

    private void softmax(double[] row) {
        double max = Arrays.stream(row).max().orElse(Double.NEGATIVE_INFINITY);
        if (max == Double.NEGATIVE_INFINITY) {
            Arrays.fill(row, 0);
            return;
        }
        double sum = 0;
        for (int j = 0; j < row.length; j++) {
            row[j] = r(Math.exp(row[j] - max));
            sum = r(sum + row[j]);
        }
        for (int j = 0; j < row.length; j++) {
            row[j] = r(row[j] / sum);
        }
    }

    /** Each row times the kernel, plus the bias; how the kernel's axes are grouped does not matter to that. */
    private double[][] project(String name, double[][] rows) {
        double[] kernel = weights.get(name + ".kernel").toDoubleArray();
        double[] bias = weights.containsKey(name + ".bias")
                ? weights.get(name + ".bias").toDoubleArray()
                : null;
        int inputs = rows[0].length;
        int outputs = kernel.length / inputs;
        double[][] projected = new double[rows.length][outputs];
        for (int n = 0; n < rows.length; n++) {
            for (int out = 0; out < outputs; out++) {
                double sum = 0;
                for (int in = 0; in < inputs; in++) {
                    sum = r(sum + r(rows[n][in] * kernel[in * outputs + out]));
                }
                projected[n][out] = bias == null ? sum : r(sum + bias[out]);
            }
        }
        return projected;
    }

    private double r(double x) {
        return rounded.applyAsDouble(x);
    }

    private int size(String name, int axis) {
        return (int) weights.get(name).size(axis);
    }

    private static double[][] rows(Tensor input) {
        int features = (int) input.size(-1);
        double[] elements = input.toDoubleArray();
        double[][] rows = new double[elements.length / features][];
        for (int n = 0; n < rows.length; n++) {
            rows[n] = Arrays.copyOfRange(elements, n * features, (n + 1) * features);
        }
        return rows;
    }

    private int[] merge(int[] free, int[] outer, int[] inner) {
        int[] index = new int[outer.length + inner.length];
        for (int n = 0; n < outer.length; n++) {
            index[free[n]] = outer[n];
        }
        for (int n = 0; n < inner.length; n++) {
            index[axes[n]] = inner[n];
        }
        return index;
    }

    private static int flat(int[] index, Tensor input) {
        int at = 0;
        for (int axis = 0; axis < index.length; axis++) {
            at = at * (int) input.size(axis) + index[axis];
        }
        return at;
    }

    private static int[] sizes(Tensor input, int[] of) {
        return IntStream.of(of).map(axis -> (int) input.size(axis)).toArray();
    }

    private static List<int[]> indices(int[] sizes) {
        List<int[]> all = new ArrayList<>();
        all.add(new int[0]);
        for (int size : sizes) {
            List<int[]> longer = new ArrayList<>();
            for (int[] start : all) {
                for (int n = 0; n < size; n++) {
                    int[] next = Arrays.copyOf(start, start.length + 1);
                    next[start.length] = n;
                    longer.add(next);
                }
            }
            all = longer;
        }
        return all;
    }
}
