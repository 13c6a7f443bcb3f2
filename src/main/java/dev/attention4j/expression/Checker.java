package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Gives each part of an expression its type: ints become floats where floats are, and nothing else converts itself. */
final class Checker {
    private final Graph graph = new Graph();
    private final Place place;
    private final List<String> names;
    private final Function<String, Type> types;

    private Checker(Expression expression, Function<String, Type> types) {
        place = expression.place();
        names = List.copyOf(expression.names().keySet());
        this.types = types;
    }

    /** A typed expression; the slots of its names are their places in the order of first use. */
    record Checked(Graph graph, Node root) {}

    /**
     * Checks the types.
     *
     * @param types of the names
     * @throws IllegalArgumentException if an operation cannot be done on what it is given
     */
    static Checked check(Expression expression, Function<String, Type> types) {
        Checker checker = new Checker(expression, types);
        return new Checked(checker.graph, checker.node(expression.syntax()));
    }

    private Node node(Syntax syntax) {
        List<Node> inputs = new ArrayList<>();
        syntax.inputs().forEach(input -> inputs.add(node(input)));
        return switch (syntax.op()) {
            case LITERAL -> graph.literal(syntax.type(), syntax.bits());
            case VARIABLE -> graph.variable(Variable.of(syntax.name()).orElseThrow());
            case SCALAR -> graph.scalar(types.apply(syntax.name()), names.indexOf(syntax.name()));
            case ELEMENT -> {
                for (int n = 0; n < inputs.size(); n++) {
                    require(inputs.get(n).type() == Type.INT, syntax, inputs, n, "an index must be an int");
                }
                yield graph.element(types.apply(syntax.name()), names.indexOf(syntax.name()), inputs);
            }
            case NOT, AND, OR -> {
                for (int n = 0; n < inputs.size(); n++) {
                    require(
                            inputs.get(n).type() == Type.BOOLEAN,
                            syntax,
                            inputs,
                            n,
                            "\"" + syntax.op().text + "\" must have a boolean");
                }
                yield graph.of(syntax.op(), Type.BOOLEAN, inputs.toArray(new Node[0]));
            }
            case CHOOSE -> choose(syntax, inputs);
            case EQUAL, NOT_EQUAL -> equal(syntax, inputs);
            default -> arithmetic(syntax, inputs);
        };
    }

    private Node choose(Syntax syntax, List<Node> inputs) {
        require(inputs.get(0).type() == Type.BOOLEAN, syntax, inputs, 0, "\"?\" must have a boolean before it");
        List<Node> values = inputs.subList(1, 3);
        require(
                values.get(0).type().isNumber() == values.get(1).type().isNumber(),
                syntax,
                inputs,
                2,
                "both values of \"?:\" must be numbers or both booleans");
        Type type = common(values);
        return graph.of(Op.CHOOSE, type, inputs.get(0), as(type, values.get(0)), as(type, values.get(1)));
    }

    private Node equal(Syntax syntax, List<Node> inputs) {
        if (inputs.get(0).type() == Type.BOOLEAN && inputs.get(1).type() == Type.BOOLEAN) {
            return graph.of(syntax.op(), Type.BOOLEAN, inputs.toArray(new Node[0]));
        }
        return arithmetic(syntax, inputs);
    }

    private Node arithmetic(Syntax syntax, List<Node> inputs) {
        Op op = syntax.op();
        for (int n = 0; n < inputs.size(); n++) {
            require(
                    inputs.get(n).type().isNumber(),
                    syntax,
                    inputs,
                    n,
                    "\"" + op.text.strip() + "\" must have a number");
            if (op == Op.REMAINDER) {
                require(inputs.get(n).type() == Type.INT, syntax, inputs, n, "\"%\" must have an int");
            }
        }
        Type type =
                switch (op) {
                    case TO_INT -> Type.INT;
                    case TO_FLOAT, EXP, LOG, TANH, SQRT, POW, FLOOR -> Type.FLOAT;
                    default -> common(inputs);
                };
        if (op == Op.TO_INT || op == Op.TO_FLOAT) {
            Node number = inputs.get(0);
            return number.type() == type ? number : graph.of(op, type, number);
        }
        Node[] converted = inputs.stream().map(input -> as(type, input)).toArray(Node[]::new);
        return graph.of(op, op.isComparison() ? Type.BOOLEAN : type, converted);
    }

    private static Type common(List<Node> numbers) {
        Type type = numbers.get(0).type();
        for (Node number : numbers) {
            type = number.type() == Type.FLOAT ? Type.FLOAT : type;
        }
        return type;
    }

    private Node as(Type type, Node node) {
        return type == Type.FLOAT ? graph.toFloat(node) : node;
    }

    private void require(boolean holds, Syntax syntax, List<Node> inputs, int n, String rule) {
        if (!holds) {
            Syntax operand = syntax.inputs().get(n);
            throw place.error(
                    operand.column(),
                    rule + ", but this is " + inputs.get(n).type().text() + advice(inputs.get(n)));
        }
    }

    private static String advice(Node node) {
        return switch (node.type()) {
            case FLOAT -> "; (int) x makes an int of it";
            case BOOLEAN -> "; x ? 1 : 0 makes a number of it";
            case INT -> "";
        };
    }
}
