package dev.attention4j.expression;

import java.util.List;

/**
 * Evaluates an expression in double, one key after another; in float what decides comparisons: there all readers agree. Has
 * memory for its results, so each thread needs its own.
 */
public final class DoubleEvaluator {
    private final List<Parameter> parameters;
    private final List<Node> nodes;
    private final Node root;
    private final Origin origin;
    private final boolean[] deciding;
    /** By the number of a node. Ints and booleans (1 or 0) are exact in double. */
    private final double[] values;

    DoubleEvaluator(Formula formula, Origin origin) {
        this.origin = origin;
        parameters = formula.parameters;
        nodes = formula.fold(origin);
        root = nodes.get(nodes.size() - 1);
        deciding = Formula.deciding(nodes);
        values = new double[deciding.length];
    }

    /**
     * Replaces scores of consecutive keys by the values of a score expression.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    public void replace(
            int batch, int head, int keyValueHead, int query, int position, int firstKey, int count, double[] scores) {
        for (int n = 0; n < count; n++) {
            evaluate(batch, head, keyValueHead, query, position, firstKey + n, n == 0, scores[n]);
            scores[n] = value(root);
        }
    }

    /**
     * Returns for consecutive keys the element, in row-major order, that an expression reads which is an element of a table
     * alone; 0 for a single number.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    public int[] places(int batch, int head, int keyValueHead, int query, int position, int firstKey, int count) {
        int[] places = new int[count];
        for (int n = 0; n < count; n++) {
            evaluate(batch, head, keyValueHead, query, position, firstKey + n, n == 0, 0);
            places[n] = root.op() == Op.ELEMENT ? place(root) : 0;
        }
        return places;
    }

    /** Computes the values of all nodes for a key; but for the first of a query, only those that may be others. */
    private void evaluate(
            int batch, int head, int keyValueHead, int query, int position, int key, boolean isFirst, double score) {
        for (Node node : nodes) {
            if (!isFirst && !node.varies()) {
                continue;
            }
            double value = node.op() != Op.VARIABLE
                    ? computed(node)
                    : node.variable() == Variable.SCORE
                            ? score
                            : node.variable() == Variable.KEY
                                    ? key
                                    : origin.of(node.variable(), batch, head, keyValueHead, query, position);
            values[node.number()] = deciding[node.number()] ? (float) value : value;
        }
    }

    private double value(Node node) {
        return values[node.number()];
    }

    /** Returns the place of a table's element. */
    private int place(Node element) {
        int place = 0;
        for (int axis = 0; axis < element.inputs().size(); axis++) {
            place = parameters.get(element.bits()).place(place, axis, (int) value(element.input(axis)));
        }
        return place;
    }

    private double computed(Node node) {
        if (node.op() == Op.LITERAL) {
            return node.type() == Type.FLOAT ? node.asFloat() : node.bits();
        }
        if (node.op() == Op.ELEMENT) {
            int word = parameters.get(node.bits()).words()[place(node)];
            return node.type() == Type.FLOAT ? Float.intBitsToFloat(word) : word;
        }
        double a = value(node.input(0));
        double b = value(node.input(Math.min(1, node.inputs().size() - 1)));
        if (node.op() == Op.CHOOSE) {
            return a != 0 ? b : value(node.input(2));
        }
        if (node.op() == Op.TO_FLOAT) {
            return a;
        }
        if (node.input(0).type() != Type.FLOAT) {
            return Arithmetic.ofInts(node.op(), (int) a, (int) b);
        }
        return Arithmetic.isDecision(node.op())
                ? Arithmetic.decide(node.op(), a, b)
                : Arithmetic.ofFloats(node.op(), a, b);
    }
}
