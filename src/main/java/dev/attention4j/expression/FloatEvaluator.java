package dev.attention4j.expression;

import java.util.Arrays;
import java.util.List;

/**
 * Evaluates an expression in float, for one query and some consecutive keys at a time. Each operation is a loop over the keys;
 * what does not depend on the key is computed once for all of them. Frequent operations have loops of their own, which the JIT
 * vectorizes; the others call {@link Arithmetic}. Has memory for its results, so each thread needs its own.
 */
public final class FloatEvaluator {
    private final List<Parameter> parameters;
    private final List<Node> nodes;
    private final Node root;
    private final Origin origin;
    private final Tanh tanh;
    /** By the number of a node: its values for each key, if it is an int or a boolean (1 or 0). */
    private final int[][] ints;
    /** The same, if it is a float. */
    private final float[][] floats;

    private int capacity;

    /** The hyperbolic tangent of a float. */
    @FunctionalInterface
    public interface Tanh {
        /** {@return tanh x} */
        float of(float x);
    }

    FloatEvaluator(Formula formula, Origin origin, Tanh tanh) {
        this.origin = origin;
        this.tanh = tanh;
        parameters = formula.parameters;
        nodes = formula.fold(origin);
        root = nodes.get(nodes.size() - 1);
        ints = new int[root.number() + 1][];
        floats = new float[root.number() + 1][];
    }

    /**
     * Replaces scores of consecutive keys by the values of a score expression.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    public void replace(
            int batch, int head, int keyValueHead, int query, int position, int firstKey, int count, float[] scores) {
        if (count == 0) {
            return;
        }
        evaluate(batch, head, keyValueHead, query, position, firstKey, count, scores);
        float[] values = floats[root.number()];
        if (values != scores) {
            System.arraycopy(values, 0, scores, 0, count);
        }
    }

    /**
     * Evaluates a mask expression for consecutive keys.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     * @return 1 for each key that the query attends to, else 0; overwritten by the next call
     */
    public int[] attends(int batch, int head, int keyValueHead, int query, int position, int firstKey, int count) {
        evaluate(batch, head, keyValueHead, query, position, firstKey, count, null);
        return ints[root.number()];
    }

    private void evaluate(
            int batch, int head, int keyValueHead, int query, int position, int firstKey, int count, float... scores) {
        if (count > capacity) {
            capacity = count;
            for (Node node : nodes) {
                boolean isFloat = node.type() == Type.FLOAT;
                ints[node.number()] = isFloat ? null : new int[count];
                floats[node.number()] = isFloat ? new float[count] : null;
            }
        }
        for (Node node : nodes) {
            if (node.op() != Op.VARIABLE) {
                compute(node, node.varies() ? count : 1);
            } else if (node.variable() == Variable.SCORE) {
                floats[node.number()] = scores;
            } else if (node.variable() == Variable.KEY) {
                int[] keys = ints[node.number()];
                for (int n = 0; n < count; n++) {
                    keys[n] = firstKey + n;
                }
            } else {
                ints[node.number()][0] = origin.of(node.variable(), batch, head, keyValueHead, query, position);
            }
            if (!node.varies()) {
                repeat(node, count);
            }
        }
    }

    /** Makes the first value of a node that of each key. */
    private void repeat(Node node, int count) {
        if (node.type() == Type.FLOAT) {
            Arrays.fill(floats[node.number()], 0, count, floats[node.number()][0]);
        } else {
            Arrays.fill(ints[node.number()], 0, count, ints[node.number()][0]);
        }
    }

    private int[] ints(Node node, int input) {
        return ints[node.input(Math.min(input, node.inputs().size() - 1)).number()];
    }

    private float[] floats(Node node, int input) {
        return floats[node.input(Math.min(input, node.inputs().size() - 1)).number()];
    }

    private void compute(Node node, int count) {
        if (node.type() == Type.FLOAT) {
            computeFloats(node, floats[node.number()], count);
        } else if (!node.inputs().isEmpty() && node.input(0).type() == Type.FLOAT) {
            decide(node.op(), floats(node, 0), floats(node, 1), ints[node.number()], count);
        } else {
            computeInts(node, ints[node.number()], count);
        }
    }

    private void computeInts(Node node, int[] to, int count) {
        switch (node.op()) {
            case LITERAL -> Arrays.fill(to, 0, count, node.bits());
            case ELEMENT -> {
                int[] words = parameters.get(node.bits()).words();
                for (int n = 0; n < count; n++) {
                    to[n] = words[place(node, n)];
                }
            }
            case CHOOSE -> {
                int[] condition = ints(node, 0);
                int[] a = ints(node, 1);
                int[] b = ints(node, 2);
                for (int n = 0; n < count; n++) {
                    to[n] = condition[n] != 0 ? a[n] : b[n];
                }
            }
            default -> ofInts(node.op(), ints(node, 0), ints(node, 1), to, count);
        }
    }

    private static void ofInts(Op op, int[] a, int[] b, int[] to, int count) {
        switch (op) {
            case ADD -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] + b[n];
                }
            }
            case SUBTRACT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] - b[n];
                }
            }
            case MULTIPLY -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] * b[n];
                }
            }
            case ABS -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.abs(a[n]);
                }
            }
            case LESS -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] < b[n] ? 1 : 0;
                }
            }
            case LESS_EQUAL -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] <= b[n] ? 1 : 0;
                }
            }
            case EQUAL -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] == b[n] ? 1 : 0;
                }
            }
            case AND -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] & b[n];
                }
            }
            case OR -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] | b[n];
                }
            }
            case NOT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = 1 - a[n];
                }
            }
            case NOT_EQUAL -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] != b[n] ? 1 : 0;
                }
            }
            case MIN -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.min(a[n], b[n]);
                }
            }
            case MAX -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.max(a[n], b[n]);
                }
            }
            case DIVIDE -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.divide(a[n], b[n]);
                }
            }
            case REMAINDER -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.remainder(a[n], b[n]);
                }
            }
            default -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.ofInts(op, a[n], b[n]);
                }
            }
        }
    }

    private static void decide(Op op, float[] a, float[] b, int[] to, int count) {
        switch (op) {
            case LESS -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] < b[n] ? 1 : 0;
                }
            }
            case LESS_EQUAL -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] <= b[n] ? 1 : 0;
                }
            }
            default -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.decide(op, a[n], b[n]);
                }
            }
        }
    }

    private void computeFloats(Node node, float[] to, int count) {
        switch (node.op()) {
            case LITERAL -> Arrays.fill(to, 0, count, node.asFloat());
            case ELEMENT -> {
                int[] words = parameters.get(node.bits()).words();
                for (int n = 0; n < count; n++) {
                    to[n] = Float.intBitsToFloat(words[place(node, n)]);
                }
            }
            case TO_FLOAT -> {
                int[] a = ints(node, 0);
                for (int n = 0; n < count; n++) {
                    to[n] = a[n];
                }
            }
            case CHOOSE -> {
                int[] condition = ints(node, 0);
                float[] a = floats(node, 1);
                float[] b = floats(node, 2);
                for (int n = 0; n < count; n++) {
                    to[n] = condition[n] != 0 ? a[n] : b[n];
                }
            }
            case TANH -> {
                float[] a = floats(node, 0);
                for (int n = 0; n < count; n++) {
                    to[n] = tanh.of(a[n]);
                }
            }
            default -> ofFloats(node.op(), floats(node, 0), floats(node, 1), to, count);
        }
    }

    private static void ofFloats(Op op, float[] a, float[] b, float[] to, int count) {
        switch (op) {
            case ADD -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] + b[n];
                }
            }
            case SUBTRACT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] - b[n];
                }
            }
            case MULTIPLY -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] * b[n];
                }
            }
            case DIVIDE -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] / b[n];
                }
            }
            case MIN -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.min(a[n], b[n]);
                }
            }
            case MAX -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.max(a[n], b[n]);
                }
            }
            default -> {
                for (int n = 0; n < count; n++) {
                    to[n] = (float) Arithmetic.ofFloats(op, a[n], b[n]);
                }
            }
        }
    }

    /** Returns the place of a table's element for a key. */
    private int place(Node element, int n) {
        Parameter table = parameters.get(element.bits());
        int place = 0;
        for (int axis = 0; axis < element.inputs().size(); axis++) {
            place = table.place(place, axis, ints[element.input(axis).number()][n]);
        }
        return place;
    }
}
