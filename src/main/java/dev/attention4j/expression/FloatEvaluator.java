package dev.attention4j.expression;

import java.util.Arrays;

/** Evaluates an expression in float. */
public final class FloatEvaluator extends Evaluator {
    private final float[][] floats;
    private float[] given;
    private final Tanh tanh;

    /** The hyperbolic tangent of a float. */
    @FunctionalInterface
    public interface Tanh {
        /** {@return tanh x} */
        float of(float x);
    }

    FloatEvaluator(Formula formula, Origin origin, Tanh tanh) {
        super(formula, origin);
        this.tanh = tanh;
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
        given = scores;
        evaluate(batch, head, keyValueHead, query, position, firstKey, count);
        float[] values = floats(root);
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
        evaluate(batch, head, keyValueHead, query, position, firstKey, count);
        return ints(root);
    }

    @Override
    void reserve(int count) {
        for (Node node : nodes()) {
            floats[node.number()] = node.type() == Type.FLOAT ? new float[count] : null;
        }
    }

    @Override
    void repeatFloat(Node node, int count) {
        Arrays.fill(floats[node.number()], 0, count, floats[node.number()][0]);
    }

    private float[] floats(Node node) {
        return node.variable() == Variable.SCORE ? given : floats[node.number()];
    }

    @Override
    void computeFloats(Node node, int count) {
        if (node.type() == Type.FLOAT) {
            compute(node, count);
        } else {
            decide(node, count);
        }
    }

    private void decide(Node node, int count) {
        int[] to = ints(node);
        float[] a = floats(node.input(0));
        float[] b = floats(node.input(node.inputs().size() - 1));
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
        float[] to = floats[node.number()];
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
                float[] a = floats(node.input(1));
                float[] b = floats(node.input(2));
                for (int n = 0; n < count; n++) {
                    to[n] = condition[n] != 0 ? a[n] : b[n];
                }
            }
            default -> {
                float[] a = floats(node.input(0));
                if (node.inputs().size() == 1) {
                    ofOne(node.op(), a, to, count);
                } else {
                    ofTwo(node.op(), a, floats(node.input(1)), to, count);
                }
            }
        }
    }

    private void ofOne(Op op, float[] a, float[] to, int count) {
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
                    to[n] = (float) Math.exp(a[n]);
                }
            }
            case LOG -> {
                for (int n = 0; n < count; n++) {
                    to[n] = (float) Math.log(a[n]);
                }
            }
            case TANH -> {
                for (int n = 0; n < count; n++) {
                    to[n] = tanh.of(a[n]);
                }
            }
            case SQRT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = (float) Math.sqrt(a[n]);
                }
            }
            case FLOOR -> {
                for (int n = 0; n < count; n++) {
                    to[n] = (float) Math.floor(a[n]);
                }
            }
            default -> throw new AssertionError(op);
        }
    }

    private static void ofTwo(Op op, float[] a, float[] b, float[] to, int count) {
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
                    to[n] = (float) Arithmetic.pow(a[n], b[n]);
                }
            }
            default -> throw new AssertionError(op);
        }
    }
}
