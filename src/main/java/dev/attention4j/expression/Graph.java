package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The nodes of a typed expression: constants are folded, and equal parts are one node. */
final class Graph {
    private record Key(Op op, Type type, int bits, Variable variable, List<Integer> inputs) {}

    private final Map<Key, Node> known = new HashMap<>();
    private final List<Node> nodes = new ArrayList<>();

    /** Returns the nodes that a root needs, each after its inputs. */
    List<Node> neededBy(Node root) {
        boolean[] needed = new boolean[nodes.size()];
        needed[root.number()] = true;
        List<Node> result = new ArrayList<>();
        for (int n = root.number(); n >= 0; n--) {
            if (needed[n]) {
                nodes.get(n).inputs().forEach(input -> needed[input.number()] = true);
            }
        }
        for (int n = 0; n <= root.number(); n++) {
            if (needed[n]) {
                result.add(nodes.get(n));
            }
        }
        return result;
    }

    Node literal(boolean value) {
        return leaf(Op.LITERAL, Type.BOOLEAN, value ? 1 : 0, null);
    }

    Node literal(int value) {
        return leaf(Op.LITERAL, Type.INT, value, null);
    }

    Node literal(float value) {
        return literal(Type.FLOAT, Float.floatToIntBits(value));
    }

    Node literal(Type type, int bits) {
        return leaf(Op.LITERAL, type, bits, null);
    }

    Node variable(Variable variable) {
        return leaf(Op.VARIABLE, variable.type(), 0, variable);
    }

    Node scalar(Type type, int slot) {
        return leaf(Op.SCALAR, type, slot, null);
    }

    Node element(Type type, int slot, List<Node> indices) {
        return intern(Op.ELEMENT, type, slot, null, indices);
    }

    /** Returns a node of another graph in this one. */
    Node copy(Node node, List<Node> inputs) {
        return node.inputs().isEmpty() || node.op() == Op.ELEMENT
                ? intern(node.op(), node.type(), node.bits(), node.variable(), inputs)
                : of(node.op(), node.type(), inputs.toArray(new Node[0]));
    }

    private Node leaf(Op op, Type type, int bits, Variable variable) {
        return intern(op, type, bits, variable, List.of());
    }

    private Node intern(Op op, Type type, int bits, Variable variable, List<Node> inputs) {
        Key key = new Key(
                op, type, bits, variable, inputs.stream().map(Node::number).toList());
        return known.computeIfAbsent(key, unknown -> {
            int variables = variable == null ? 0 : variable.bit();
            for (Node input : inputs) {
                variables |= input.variables();
            }
            Node node = new Node(nodes.size(), op, type, bits, variable, List.copyOf(inputs), variables);
            nodes.add(node);
            return node;
        });
    }

    /** Returns a number as a float. */
    Node toFloat(Node number) {
        return number.type() == Type.FLOAT ? number : of(Op.TO_FLOAT, Type.FLOAT, number);
    }

    /** Returns an operation on typed inputs. Stores > and >= as < and <= of swapped inputs, and clamp as min and max. */
    Node of(Op op, Type type, Node... inputs) {
        if (op == Op.GREATER || op == Op.GREATER_EQUAL) {
            return of(op == Op.GREATER ? Op.LESS : Op.LESS_EQUAL, type, inputs[1], inputs[0]);
        }
        if (op == Op.CLAMP) {
            return of(Op.MIN, type, of(Op.MAX, type, inputs[0], inputs[1]), inputs[2]);
        }
        boolean constant = true;
        for (Node input : inputs) {
            constant &= input.isLiteral();
        }
        if (constant) {
            return literal(type, Arithmetic.fold(op, inputs));
        }
        Node simpler = simplified(op, inputs);
        return simpler != null ? simpler : intern(op, type, 0, null, List.of(inputs));
    }

    /** Returns what a choice or a logical operation with a constant is; null if it is nothing simpler. */
    private Node simplified(Op op, Node... inputs) {
        Node first = inputs[0];
        return switch (op) {
            case CHOOSE ->
                first.isLiteral() ? inputs[first.bits() != 0 ? 1 : 2] : inputs[1].equals(inputs[2]) ? inputs[1] : null;
            case NOT -> first.op() == Op.NOT ? first.input(0) : null;
            case AND, OR -> logical(op == Op.OR, first, inputs[1]);
            default -> null;
        };
    }

    /** Returns the operation whose result is {@code decisive} as soon as one of its inputs is. */
    private static Node logical(boolean decisive, Node a, Node b) {
        if (a.isLiteral()) {
            return a.bits() != 0 == decisive ? a : b;
        }
        if (b.isLiteral()) {
            return b.bits() != 0 == decisive ? b : a;
        }
        return a.equals(b) ? a : null;
    }
}
