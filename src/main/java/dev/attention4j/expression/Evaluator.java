package dev.attention4j.expression;

import java.util.Arrays;
import java.util.List;

/**
 * Evaluates an expression for one query and some consecutive keys at a time. Each operation is a loop over the keys; what
 * does not depend on the key is computed once for all of them. Has memory for its results, so each thread needs its own.
 */
public abstract class Evaluator {
    final List<Parameter> parameters;
    final Node root;
    private final List<Node> nodes;
    private final Origin origin;
    /** By the number of a node: its values for each key, if it is an int or a boolean (1 or 0). */
    private final int[][] ints;

    private int capacity;

    Evaluator(Formula formula, Origin origin) {
        this.origin = origin;
        parameters = formula.parameters;
        Formula.Folded folded = formula.fold(origin);
        nodes = folded.nodes();
        root = folded.root();
        ints = new int[root.number() + 1][];
    }

    final List<Node> nodes() {
        return nodes;
    }

    /** Makes room for the values of the float nodes. */
    abstract void reserve(int count);

    /** Computes an operation whose result or inputs are floats. */
    abstract void computeFloats(Node node, int count);

    /** Makes the first value of a float node that of each key. */
    abstract void repeatFloat(Node node, int count);

    final int[] ints(Node node) {
        return ints[node.number()];
    }

    /**
     * Computes the values of all nodes for a query and its keys.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    final void evaluate(int batch, int head, int keyValueHead, int query, int position, int firstKey, int count) {
        if (count > capacity) {
            capacity = count;
            for (Node node : nodes) {
                ints[node.number()] = node.type() == Type.FLOAT ? null : new int[count];
            }
            reserve(count);
        }
        for (Node node : nodes) {
            if (node.op() == Op.VARIABLE) {
                switch (node.variable()) {
                    case BATCH -> ints(node)[0] = batch + origin.batch();
                    case HEAD -> ints(node)[0] = head + origin.head();
                    case KEY_VALUE_HEAD -> ints(node)[0] = keyValueHead + origin.keyValueHead();
                    case QUERY -> ints(node)[0] = query + origin.query();
                    case POSITION -> ints(node)[0] = position;
                    case KEY -> {
                        int[] keys = ints(node);
                        for (int n = 0; n < count; n++) {
                            keys[n] = firstKey + n;
                        }
                    }
                    default -> {
                        // The scores are there; lengths are constants.
                    }
                }
            }
            boolean varies = node.dependsOn(Variable.KEY) || node.dependsOn(Variable.SCORE);
            if (node.op() != Op.VARIABLE) {
                compute(node, varies ? count : 1);
            }
            if (!varies) {
                if (node.type() == Type.FLOAT) {
                    repeatFloat(node, count);
                } else {
                    Arrays.fill(ints(node), 0, count, ints(node)[0]);
                }
            }
        }
    }

    private void compute(Node node, int count) {
        if (node.op() == Op.LITERAL && node.type() != Type.FLOAT) {
            ints(node)[0] = node.bits();
        } else if (node.type() == Type.FLOAT
                || (!node.inputs().isEmpty() && node.input(0).type() == Type.FLOAT)) {
            computeFloats(node, count);
        } else {
            computeInts(node, count);
        }
    }

    private void computeInts(Node node, int count) {
        int[] to = ints(node);
        if (node.op() == Op.ELEMENT) {
            int[] words = parameters.get(node.bits()).words();
            for (int n = 0; n < count; n++) {
                to[n] = words[place(node, n)];
            }
            return;
        }
        int[] a = ints(node.input(0));
        int[] b = ints(node.input(Math.min(1, node.inputs().size() - 1)));
        switch (node.op()) {
            case NEGATE -> {
                for (int n = 0; n < count; n++) {
                    to[n] = -a[n];
                }
            }
            case NOT -> {
                for (int n = 0; n < count; n++) {
                    to[n] = 1 - a[n];
                }
            }
            case ABS -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Math.abs(a[n]);
                }
            }
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
                    to[n] = Arithmetic.divide(a[n], b[n]);
                }
            }
            case REMAINDER -> {
                for (int n = 0; n < count; n++) {
                    to[n] = Arithmetic.remainder(a[n], b[n]);
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
            case CHOOSE -> {
                int[] otherwise = ints(node.input(2));
                for (int n = 0; n < count; n++) {
                    to[n] = a[n] != 0 ? b[n] : otherwise[n];
                }
            }
            default -> throw new AssertionError(node.op());
        }
    }

    /**
     * Returns for consecutive keys the element, in row-major order, that an expression reads which is an element of a table
     * alone; 0 for a single number.
     *
     * @param batch counted in the part of the call, as are heads and query
     * @param position of the query among the keys
     */
    public final int[] places(int batch, int head, int keyValueHead, int query, int position, int firstKey, int count) {
        evaluate(batch, head, keyValueHead, query, position, firstKey, count);
        int[] places = new int[count];
        if (root.op() == Op.ELEMENT) {
            Arrays.setAll(places, n -> place(root, n));
        }
        return places;
    }

    /** Returns the place of a table's element for a key: each index is clamped to the table. */
    final int place(Node element, int n) {
        int[] shape = parameters.get(element.bits()).shape();
        int place = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            int index = ints(element.input(axis))[n];
            place = place * shape[axis] + Math.max(0, Math.min(shape[axis] - 1, index));
        }
        return place;
    }
}
