package dev.attention4j.expression;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Forms the derivative of a score expression by the score or by a parameter, for each part from those of its inputs. Where a
 * comparison changes its answer, it is that of the side that counts there; {@code abs} has 0 at 0.
 */
final class Derivative {
    private final Expression expression;
    private final Graph graph = new Graph();
    private final Map<Node, Node> copies = new HashMap<>();
    /** Of the float nodes that depend on what it is the derivative by. */
    private final Map<Node, Node> derivatives = new HashMap<>();

    private final String by;

    private Derivative(Expression expression, String by) {
        this.expression = expression;
        this.by = by;
    }

    /**
     * Returns a graph and in it the derivative.
     *
     * @param by names what it is the derivative by, for errors
     * @param variable the same in the formula's graph; null if the formula does not depend on it
     * @throws IllegalArgumentException if a part has none: a cast of the variable to int, or its floor
     */
    static Checker.Checked of(Formula formula, String by, Node variable) {
        Derivative derivative = new Derivative(formula.expression, by);
        for (Node node : formula.graph.neededBy(formula.root)) {
            List<Node> inputs =
                    node.inputs().stream().map(derivative.copies::get).toList();
            derivative.copies.put(node, derivative.graph.copy(node, inputs));
        }
        Node root = derivative.copies.get(formula.root);
        if (variable != null) {
            derivative.derivatives.put(derivative.copies.get(variable), derivative.graph.literal(1f));
        }
        for (Node node : derivative.graph.neededBy(root)) {
            if (node.inputs().stream().anyMatch(derivative.derivatives::containsKey)) {
                derivative.derivatives.put(node, derivative.by(node));
            }
        }
        return new Checker.Checked(derivative.graph, derivative.of(root));
    }

    private Node of(Node node) {
        return derivatives.getOrDefault(node, graph.literal(0f));
    }

    private Node by(Node node) {
        if (node.op() == Op.TO_INT || node.op() == Op.FLOOR) {
            throw new IllegalArgumentException("score: \"" + Formula.excerpt(expression.text())
                    + "\" has no derivative by " + by + ", which gradients need: it goes through "
                    + (node.op() == Op.FLOOR ? "floor" : "a cast to int"));
        }
        if (node.type() != Type.FLOAT) {
            return graph.literal(0f);
        }
        Node a = node.input(0);
        return switch (node.op()) {
            case NEGATE -> times(graph.literal(-1f), of(a));
            case ADD -> plus(of(a), of(node.input(1)));
            case SUBTRACT -> plus(of(a), times(graph.literal(-1f), of(node.input(1))));
            case MULTIPLY -> plus(times(of(a), node.input(1)), times(of(node.input(1)), a));
            case DIVIDE -> {
                Node b = node.input(1);
                yield plus(divided(of(a), b), times(graph.literal(-1f), times(of(b), divided(divided(a, b), b))));
            }
            case CHOOSE -> choice(a, of(node.input(1)), of(node.input(2)));
            case ABS -> {
                Node zero = graph.literal(0f);
                Node negative = choice(less(a, zero), times(graph.literal(-1f), of(a)), zero);
                yield choice(less(zero, a), of(a), negative);
            }
            case MIN, MAX -> {
                // As Arithmetic has it.
                Node b = node.input(1);
                Node better = node.op() == Op.MIN ? less(b, a) : less(a, b);
                Node isNan = graph.of(Op.NOT_EQUAL, Type.BOOLEAN, b, b);
                yield choice(graph.of(Op.OR, Type.BOOLEAN, better, isNan), of(b), of(a));
            }
            case EXP -> times(of(a), node);
            case LOG -> divided(of(a), a);
            case TANH -> {
                Node square = times(graph.literal(-1f), times(node, node));
                yield times(of(a), plus(graph.literal(1f), square));
            }
            case SQRT -> divided(times(graph.literal(0.5f), of(a)), node);
            case POW -> power(node, a, node.input(1));
            // An element of a table and what becomes a float depend on the variable by a cast, which is refused.
            default -> graph.literal(0f);
        };
    }

    /** x^y: y · x^(y − 1) · x' + x^y · ln x · y'. */
    private Node power(Node node, Node x, Node y) {
        Node less1 = graph.of(Op.SUBTRACT, Type.FLOAT, y, graph.literal(1f));
        Node byBase = times(of(x), times(y, graph.of(Op.POW, Type.FLOAT, x, less1)));
        return isZero(of(y)) ? byBase : plus(byBase, times(of(y), times(node, graph.of(Op.LOG, Type.FLOAT, x))));
    }

    private Node choice(Node condition, Node a, Node b) {
        return graph.of(Op.CHOOSE, Type.FLOAT, condition, a, b);
    }

    private Node less(Node a, Node b) {
        return graph.of(Op.LESS, Type.BOOLEAN, a, b);
    }

    private static boolean isZero(Node node) {
        return node.isLiteral() && node.asFloat() == 0;
    }

    /** A derivative of 0 is left out: nothing else may be 0 times infinity. */
    private Node times(Node a, Node b) {
        if (isZero(a) || isZero(b)) {
            return graph.literal(0f);
        }
        if (a.isLiteral() && a.asFloat() == 1) {
            return b;
        }
        return b.isLiteral() && b.asFloat() == 1 ? a : graph.of(Op.MULTIPLY, Type.FLOAT, a, b);
    }

    private Node divided(Node a, Node b) {
        return isZero(a) ? a : graph.of(Op.DIVIDE, Type.FLOAT, a, b);
    }

    private Node plus(Node a, Node b) {
        return isZero(a) ? b : isZero(b) ? a : graph.of(Op.ADD, Type.FLOAT, a, b);
    }
}
