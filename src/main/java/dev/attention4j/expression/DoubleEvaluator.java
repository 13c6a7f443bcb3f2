package dev.attention4j.expression;

import java.util.Arrays;

/** Evaluates an expression in double, but in float what decides comparisons: there all readers agree. */
public final class DoubleEvaluator extends Evaluator {
    private final double[][] floats;
    private double[] given;
    private final boolean[] deciding;

    DoubleEvaluator(Formula formula, Origin origin) {
        super(formula, origin);
        floats = new double[root.number() + 1][];
        deciding = Formula.deciding(nodes());
    }

    /**
     * Replaces scores of consecutive keys by the values of a score expression.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    public void replace(
            int batch, int head, int keyValueHead, int query, int position, int firstKey, int count, double[] scores) {
        if (count == 0) {
            return;
        }
        given = scores;
        evaluate(batch, head, keyValueHead, query, position, firstKey, count);
        double[] values = floats(root);
        if (values != scores) {
            System.arraycopy(values, 0, scores, 0, count);
        }
    }

    @Override
    void reserve(int count) {
        for (Node node : nodes()) {
            floats[node.number()] = node.type() == Type.FLOAT ? new double[count] : null;
        }
    }

    @Override
    void repeatFloat(Node node, int count) {
        Arrays.fill(floats[node.number()], 0, count, floats[node.number()][0]);
    }

    private double[] floats(Node node) {
        return node.variable() == Variable.SCORE ? given : floats[node.number()];
    }

    @Override
    void computeFloats(Node node, int count) {
        if (node.type() != Type.FLOAT) {
            decide(node, count);
            return;
        }
        compute(node, count);
        if (deciding[node.number()]) {
            double[] values = floats[node.number()];
            for (int n = 0; n < count; n++) {
                values[n] = (float) values[n];
            }
        }
    }

    private void decide(Node node, int count) {
        int[] to = ints(node);
        double[] a = floats(node.input(0));
        double[] b = floats(node.input(node.inputs().size() - 1));
        switch (node.op()) {
            case TO_INT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = (int) a[n];
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
            case NOT_EQUAL -> {
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] != b[n] ? 1 : 0;
                }
            }
            default -> throw new AssertionError(node.op());
        }
    }

    private void compute(Node node, int count) {
        double[] to = floats[node.number()];
        switch (node.op()) {
            case LITERAL -> to[0] = node.asFloat();
            case ELEMENT -> {
                int[] words = parameters.get(node.bits()).words();
                for (int n = 0; n < count; n++) {
                    to[n] = Float.intBitsToFloat(words[place(node, n)]);
                }
            }
            case TO_FLOAT -> {
                int[] a = ints(node.input(0));
                for (int n = 0; n < count; n++) {
                    to[n] = a[n];
                }
            }
            case CHOOSE -> {
                int[] condition = ints(node.input(0));
                double[] a = floats(node.input(1));
                double[] b = floats(node.input(2));
                for (int n = 0; n < count; n++) {
                    to[n] = condition[n] != 0 ? a[n] : b[n];
                }
            }
            default -> {
                double[] a = floats(node.input(0));
                if (node.inputs().size() == 1) {
                    ofOne(node.op(), a, to, count);
                } else {
                    ofTwo(node.op(), a, floats(node.input(1)), to, count);
                }
            }
        }
    }

    private static void ofOne(Op op, double[] a, double[] to, int count) {
        switch (op) {
            case NEGATE -> {
                for (int n = 0; n < count; n++) {
                    to[n] = -a[n];
                }
            }
            case ABS -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.abs(a[n]);
                }
            }
            case EXP -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.exp(a[n]);
                }
            }
            case LOG -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.log(a[n]);
                }
            }
            case TANH -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.tanh(a[n]);
                }
            }
            case SQRT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.sqrt(a[n]);
                }
            }
            case FLOOR -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.floor(a[n]);
                }
            }
            default -> throw new AssertionError(op);
        }
    }

    private static void ofTwo(Op op, double[] a, double[] b, double[] to, int count) {
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
            case POW -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.pow(a[n], b[n]);
                }
            }
            default -> throw new AssertionError(op);
        }
    }
}
