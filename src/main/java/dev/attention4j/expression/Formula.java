package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;

/** An expression with the types and values of its names. Immutable. */
final class Formula {
    final Expression expression;
    /** The values of its names, in the order of their first use. */
    final List<Parameter> parameters;

    final Graph graph;
    final Node root;

    /** The name by which this is the derivative, for messages; empty for the expression itself. */
    private final String by;

    private Formula(Expression expression, List<Parameter> parameters, Graph graph, Node root, String by) {
        this.by = by;
        this.expression = expression;
        this.parameters = parameters;
        this.graph = graph;
        this.root = root;
    }

    /**
     * Gives an expression its parameters.
     *
     * @throws IllegalArgumentException if one is missing, not read, or of another rank or type than the expression wants
     */
    static Formula of(Expression expression, Map<String, Parameter> given) {
        List<Parameter> parameters = new ArrayList<>();
        for (Map.Entry<String, Integer> name : expression.names().entrySet()) {
            parameters.add(checked(expression, name.getKey(), name.getValue(), given));
        }
        for (String name : new TreeSet<>(given.keySet())) {
            if (!expression.names().containsKey(name)) {
                throw new IllegalArgumentException(
                        "parameters: \"" + name + "\" is not read by \"" + excerpt(expression.text()) + "\""
                                + Place.didYouMean(name, expression.names().keySet()));
            }
        }
        Map<String, Type> types = new HashMap<>();
        given.forEach((name, parameter) -> types.put(name, parameter.type()));
        Checker.Checked checked = Checker.check(expression, types::get);
        Node root = checked.root();
        return new Formula(
                expression,
                List.copyOf(parameters),
                checked.graph(),
                root.type() == Type.INT ? checked.graph().toFloat(root) : root,
                "");
    }

    private static Parameter checked(Expression expression, String name, int indices, Map<String, Parameter> given) {
        Parameter parameter = given.get(name);
        int column = expression.columnOf(name);
        if (parameter == null) {
            List<String> near = new ArrayList<>(given.keySet());
            near.removeAll(expression.names().keySet());
            if (indices == 0) {
                for (Variable variable : Variable.values()) {
                    near.add(variable.text());
                }
            }
            throw expression
                    .place()
                    .error(
                            column,
                            "\"" + name + "\" is no variable, and no parameter of that name is given"
                                    + Place.didYouMean(name, near));
        }
        if (parameter.rank() != indices) {
            String wanted =
                    indices == 0 ? "a single number" : "a table of " + indices + (indices == 1 ? " axis" : " axes");
            throw expression
                    .place()
                    .error(
                            column,
                            "\"" + name + "\" is given as " + parameter.described() + ", must be " + wanted
                                    + " as it is read here");
        }
        return parameter;
    }

    /**
     * Returns the derivative by the score, with the same parameters.
     *
     * @throws IllegalArgumentException if there is none
     */
    Formula derivative() {
        List<Node> scores = where(node -> node.variable() == Variable.SCORE);
        return derivative("the score", scores.isEmpty() ? null : scores.get(0));
    }

    private Formula derivative(String name, Node variable) {
        if (!by.isEmpty()) {
            throw new IllegalStateException("the derivative of a derivative is nothing that gradients need");
        }
        Checker.Checked derivative = Derivative.of(this, name, variable);
        return new Formula(expression, parameters, derivative.graph(), derivative.root(), name);
    }

    private List<Node> where(Predicate<Node> condition) {
        return graph.neededBy(root).stream().filter(condition).toList();
    }

    /**
     * A parameter where an expression reads it: a number, or an element of a table.
     *
     * @param read the number or element itself
     * @param derivative of the expression by it
     */
    record Read(Formula read, Formula derivative) {}

    /**
     * Returns each place where the expression reads a parameter, and the derivative by what is read there.
     *
     * @throws IllegalArgumentException if it reads no float parameter of this name, or there is no derivative
     */
    List<Read> derivatives(String name) {
        int slot = List.copyOf(expression.names().keySet()).indexOf(name);
        if (slot < 0) {
            throw new IllegalArgumentException("parameter: \"" + name + "\", must be one of the score expression's "
                    + expression.names().keySet());
        }
        if (parameters.get(slot).type() != Type.FLOAT) {
            throw new IllegalArgumentException("parameter: \"" + name + "\" is "
                    + parameters.get(slot).described() + ", must be of floats to have a gradient");
        }
        List<Read> reads = new ArrayList<>();
        for (Node node : where(node -> node.bits() == slot && (node.op() == Op.SCALAR || node.op() == Op.ELEMENT))) {
            Formula read = new Formula(expression, parameters, graph, node, "what is read of \"" + name + "\"");
            reads.add(new Read(read, derivative("the parameter \"" + name + "\"", node)));
        }
        return reads;
    }

    static String excerpt(String text) {
        return text.length() <= 100 ? text : text.substring(0, 97) + "...";
    }

    /** Returns the text with the types of the names: all that OpenCL C printed from it depends on. */
    String signature() {
        StringBuilder text =
                new StringBuilder(by.isEmpty() ? "" : "derivative by " + by + " of ").append(expression.text());
        for (Parameter parameter : parameters) {
            text.append(';').append(parameter.type());
        }
        return text.toString();
    }

    /**
     * Refuses tables that are too short for an index that is a variable alone: any other index is clamped.
     *
     * @param counts the number of values that variables have, from 0
     */
    void checkTables(Map<Variable, Integer> counts) {
        for (Node node : graph.neededBy(root)) {
            for (int axis = 0; node.op() == Op.ELEMENT && axis < node.inputs().size(); axis++) {
                Variable variable = node.input(axis).variable();
                int size = parameters.get(node.bits()).shape()[axis];
                int count = variable == null ? 0 : counts.getOrDefault(variable, 0);
                if (count > size) {
                    String name = List.copyOf(expression.names().keySet()).get(node.bits());
                    throw new IllegalArgumentException("parameters: \"" + name + "\" is "
                            + parameters.get(node.bits()).described() + ", must have at least "
                            + count + " elements along axis " + axis + ", which \""
                            + variable.text()
                            + "\" indexes; clamp(...) around an index keeps it within a smaller table");
                }
            }
        }
    }

    /** Returns the nodes of the expression with its numbers and the lengths of a call as constants; the last is the root. */
    List<Node> fold(Origin origin) {
        Graph folded = new Graph();
        Map<Node, Node> copies = new HashMap<>();
        for (Node node : graph.neededBy(root)) {
            copies.put(node, copy(node, copies, folded, origin));
        }
        return folded.neededBy(copies.get(root));
    }

    private Node copy(Node node, Map<Node, Node> copies, Graph folded, Origin origin) {
        List<Node> inputs = node.inputs().stream().map(copies::get).toList();
        return switch (node.op()) {
            case SCALAR ->
                folded.literal(node.type(), parameters.get(node.bits()).words()[0]);
            case VARIABLE ->
                switch (node.variable()) {
                    case QUERY_LENGTH -> folded.literal(origin.queryLength());
                    case KEY_LENGTH -> folded.literal(origin.keyLength());
                    default -> folded.copy(node, inputs);
                };
            default -> folded.copy(node, inputs);
        };
    }

    /**
     * Returns, by number, the nodes that are computed in float by every reader: what decides a comparison, a cast to int or a
     * floor and does not depend on the score. So all readers decide alike.
     */
    static boolean[] deciding(List<Node> nodes) {
        boolean[] deciding =
                new boolean[nodes.isEmpty() ? 0 : nodes.get(nodes.size() - 1).number() + 1];
        for (int n = nodes.size() - 1; n >= 0; n--) {
            Node node = nodes.get(n);
            boolean decides = node.op().isComparison() || node.op() == Op.TO_INT || node.op() == Op.FLOOR;
            for (Node input : node.inputs()) {
                boolean open = input.type() == Type.FLOAT && !input.dependsOn(Variable.SCORE);
                deciding[input.number()] |= open && (decides || deciding[node.number()]);
            }
        }
        return deciding;
    }
}
