package dev.attention4j.expression;

import dev.attention4j.expression.Ranges.Range;
import java.util.List;
import java.util.Set;
import java.util.StringJoiner;

/**
 * Prints an expression as a function in OpenCL C 1.2: a line for each operation. What OpenCL C leaves undefined is guarded
 * where the ranges of ints do not show that it cannot occur. Nothing of the user's text is printed, not even names.
 */
final class OpenClText {
    private static final String LEAST = Literals.openCl(Type.INT, Integer.MIN_VALUE);

    private final Formula formula;
    private final int width;
    /** The bits of the variables that are vectors. */
    private final int vectors;

    private final int firstWord;
    private final List<Node> nodes;
    private final Ranges ranges;
    private final boolean[] deciding;
    private final int[] uses;
    private final StringBuilder lines = new StringBuilder();
    private int temporaries;

    OpenClText(Formula formula, int width, Set<Variable> vectors, int firstWord) {
        this.formula = formula;
        this.width = width;
        this.vectors = width == 1 ? 0 : vectors.stream().mapToInt(Variable::bit).sum();
        this.firstWord = firstWord;
        nodes = formula.graph.neededBy(formula.root);
        ranges = new Ranges(nodes);
        deciding = Formula.deciding(nodes);
        uses = new int[formula.root.number() + 1];
        for (Node node : nodes) {
            node.inputs().forEach(input -> uses[input.number()]++);
        }
    }

    /** Returns the function, whose result is a vector if any argument is one. */
    String function(String name) {
        StringJoiner parameters = new StringJoiner(", ", "(", ")");
        for (Variable variable : Variable.values()) {
            boolean passed = variable != Variable.QUERY_LENGTH && variable != Variable.KEY_LENGTH;
            if (passed && (variable != Variable.SCORE || formula.root.type() == Type.FLOAT)) {
                parameters.add(type(variable.type(), (variable.bit() & vectors) != 0) + " " + argument(variable));
            }
        }
        parameters.add("__global const int *numbers");
        for (Node node : nodes) {
            // A literal stands where it is used, and a product that a sum takes is part of that.
            if (!node.isLiteral() && !isFused(node)) {
                define(name(node), node.type(), isVector(node), value(node));
            }
        }
        return "static __attribute__((always_inline)) " + type(formula.root.type(), vectors != 0) + " " + name
                + parameters + " {\n"
                + "#pragma OPENCL FP_CONTRACT OFF\n" + lines + "    return "
                + operand(formula.root, vectors != 0) + ";\n}\n\n";
    }

    private static String argument(Variable variable) {
        return switch (variable) {
            // Names of their own for those that are counted in a part of a call.
            case BATCH, HEAD, KEY_VALUE_HEAD, QUERY -> variable.text() + "OfPart";
            case QUERY_LENGTH -> "numbers[0]";
            case KEY_LENGTH -> "numbers[1]";
            default -> variable.text();
        };
    }

    private void define(String name, Type type, boolean vector, String value) {
        lines.append("    const ")
                .append(type(type, vector))
                .append(' ')
                .append(name)
                .append(" = ")
                .append(value)
                .append(";\n");
    }

    private String temporary(Type type, boolean vector, String value) {
        String name = "t" + temporaries++;
        define(name, type, vector, value);
        return name;
    }

    private String type(Type type, boolean vector) {
        return (type == Type.FLOAT ? "float" : "int") + (vector ? width : "");
    }

    private String suffix(boolean vector) {
        return vector ? "" + width : "";
    }

    private boolean isVector(Node node) {
        return (node.variables() & vectors) != 0;
    }

    private static String name(Node node) {
        return "v" + node.number();
    }

    /** Returns a node as an operand: a scalar where a vector is wanted is repeated. */
    private String operand(Node node, boolean vector) {
        String scalar = node.isLiteral() ? Literals.openCl(node.type(), node.bits()) : name(node);
        if (!vector || isVector(node)) {
            return scalar;
        }
        // True is 1 in a scalar, and -1 in a vector.
        return "(" + type(node.type(), true) + ")(" + (node.type() == Type.BOOLEAN ? "-" + scalar : scalar) + ")";
    }

    private String constant(int value, boolean vector) {
        String text = Literals.openCl(Type.INT, value);
        return vector ? "(" + type(Type.INT, true) + ")(" + text + ")" : text;
    }

    /** Returns {@code condition ? whenTrue : whenFalse}, where the values are as wide as the result. */
    private static String choice(String condition, boolean conditionIsVector, String whenTrue, String whenFalse) {
        return conditionIsVector
                ? "select(" + whenFalse + ", " + whenTrue + ", " + condition + ")"
                : "(" + condition + " ? " + whenTrue + " : " + whenFalse + ")";
    }

    private String value(Node node) {
        return switch (node.op()) {
            case VARIABLE -> variable(node.variable());
            case SCALAR -> number(node.type(), "numbers[" + word(node.bits()) + "]");
            case ELEMENT -> element(node);
            default ->
                node.type() == Type.BOOLEAN ? ofBoolean(node) : node.type() == Type.INT ? ofInt(node) : ofFloat(node);
        };
    }

    private static String variable(Variable variable) {
        return switch (variable) {
            case BATCH -> argument(variable) + " + numbers[2]";
            case HEAD -> argument(variable) + " + numbers[3]";
            case KEY_VALUE_HEAD -> argument(variable) + " + numbers[4]";
            case QUERY -> argument(variable) + " + numbers[5]";
            default -> argument(variable);
        };
    }

    private static String number(Type type, String word) {
        return type == Type.FLOAT ? "as_float(" + word + ")" : word;
    }

    /** Returns the word of a name's number, or of its table's place, before the sizes of its axes. */
    private int word(int slot) {
        int word = firstWord;
        for (int n = 0; n < slot; n++) {
            word += formula.parameters.get(n).rank() + 1;
        }
        return word;
    }

    private String element(Node node) {
        int word = word(node.bits());
        boolean vector = isVector(node);
        String place = "";
        for (int axis = 0; axis < node.inputs().size(); axis++) {
            Node index = node.input(axis);
            boolean wide = isVector(index);
            String size = "numbers[" + (word + 1 + axis) + "]";
            String within = operand(index, wide);
            if (ranges.of(index).least() < 0) {
                within = "max(" + within + ", " + constant(0, wide) + ")";
            }
            String last = size + " - 1";
            within = temporary(
                    Type.INT,
                    wide,
                    "min(" + within + ", " + (wide ? "(" + type(Type.INT, true) + ")(" + last + ")" : last) + ")");
            String term = vector && !wide ? "(" + type(Type.INT, true) + ")(" + within + ")" : within;
            place = axis == 0 ? term : "(" + place + ") * " + size + " + " + term;
        }
        String at = temporary(Type.INT, vector, "numbers[" + word + "] + " + place);
        if (!vector) {
            return number(node.type(), "numbers[" + at + "]");
        }
        StringJoiner elements = new StringJoiner(", ", "(" + type(node.type(), true) + ")(", ")");
        for (int n = 0; n < width; n++) {
            elements.add(number(node.type(), "numbers[" + at + ".s" + Integer.toHexString(n) + "]"));
        }
        return elements.toString();
    }

    private String ofBoolean(Node node) {
        boolean vector = isVector(node);
        String a = operand(node.input(0), vector);
        if (node.op() == Op.NOT) {
            return (vector ? "~" : "!") + a;
        }
        if (node.op() == Op.CHOOSE) {
            return choose(node);
        }
        String b = operand(node.input(1), vector);
        String sign =
                switch (node.op()) {
                    case AND -> "&";
                    case OR -> "|";
                    default -> node.op().text;
                };
        return a + " " + sign + " " + b;
    }

    private String choose(Node node) {
        boolean vector = isVector(node);
        boolean wide = isVector(node.input(0));
        return choice(
                operand(node.input(0), wide), wide, operand(node.input(1), vector), operand(node.input(2), vector));
    }

    private String ofInt(Node node) {
        boolean vector = isVector(node);
        String a = operand(node.input(0), vector);
        String b = node.inputs().size() > 1 ? operand(node.input(1), vector) : "";
        return switch (node.op()) {
            case NEGATE -> negated(node, a);
            // PoCL 3.1 makes one instruction of this, and eight of abs, with as many to take the vector apart.
            case ABS -> "max(" + a + ", " + negated(node, a) + ")";
            case ADD, SUBTRACT, MULTIPLY ->
                ranges.overflows(node) ? wrapped(node.op().text, a, b, vector) : a + " " + node.op().text + " " + b;
            case DIVIDE, REMAINDER -> quotient(node);
            case MIN, MAX -> node.op().text + "(" + a + ", " + b + ")";
            case TO_INT -> truncated(operand(node.input(0), vector), vector);
            case CHOOSE -> choose(node);
            default -> throw new AssertionError(node.op());
        };
    }

    /** The least int wraps to itself. */
    private String negated(Node node, String a) {
        boolean vector = isVector(node);
        return ranges.overflows(node) ? wrapped("-", constant(0, vector), a, vector) : "-" + a;
    }

    /** Signed ints must not overflow in C, unsigned ones may. */
    private String wrapped(String sign, String a, String b, boolean vector) {
        String unsigned = "as_uint" + suffix(vector);
        return "as_int" + suffix(vector) + "(" + unsigned + "(" + a + ") " + sign + " " + unsigned + "(" + b + "))";
    }

    /** By 0 the result is 0; by -1 the least int wraps, and its remainder is 0. */
    private String quotient(Node node) {
        boolean vector = isVector(node);
        Node divisor = node.input(1);
        boolean wide = isVector(divisor);
        Range range = ranges.of(divisor);
        boolean mayBe0 = range.contains(0);
        boolean mayWrap = range.contains(-1) && ranges.of(node.input(0)).contains(Integer.MIN_VALUE);
        String a = operand(node.input(0), vector);
        String sign = " " + node.op().text + " ";
        if (!mayBe0 && !mayWrap) {
            return a + sign + operand(divisor, vector);
        }
        String b = operand(divisor, wide);
        String is0 = "(" + b + " == " + constant(0, wide) + ")";
        String isMinus1 = "(" + b + " == " + constant(-1, wide) + ")";
        String refused = mayBe0 && mayWrap ? is0 + " | " + isMinus1 : mayBe0 ? is0 : isMinus1;
        String safe = temporary(Type.INT, wide, choice("(" + refused + ")", wide, constant(1, wide), b));
        String result = a + sign + (vector && !wide ? "(" + type(Type.INT, true) + ")(" + safe + ")" : safe);
        if (mayWrap) {
            String of1 = node.op() == Op.REMAINDER ? constant(0, vector) : wrapped("-", constant(0, vector), a, vector);
            result = choice(widened(isMinus1, wide, vector), vector, of1, "(" + result + ")");
        }
        return mayBe0 ? choice(widened(is0, wide, vector), vector, constant(0, vector), "(" + result + ")") : result;
    }

    /** Returns a condition as a vector if that is wanted. */
    private String widened(String condition, boolean isVector, boolean vector) {
        return vector && !isVector ? "(" + type(Type.INT, true) + ")(-" + condition + ")" : condition;
    }

    /** Beyond int a cast gives the least or largest int, and of NaN 0. */
    private String truncated(String number, boolean vector) {
        if (!vector) {
            return "(fabs(" + number + ") < 2147483648.0f ? (int) " + number + " : " + number
                    + " > 0.0f ? 2147483647 : " + number + " < 0.0f ? " + LEAST + " : 0)";
        }
        String floats = "(" + type(Type.FLOAT, true) + ")";
        String isInt = temporary(Type.INT, true, "fabs(" + number + ") < " + floats + "(2147483648.0f)");
        String beyond = choice(
                number + " > " + floats + "(0.0f)",
                true,
                constant(Integer.MAX_VALUE, true),
                choice(number + " < " + floats + "(0.0f)", true, constant(Integer.MIN_VALUE, true), constant(0, true)));
        String inside = "convert_int" + width + "(" + choice(isInt, true, number, floats + "(0.0f)") + ")";
        return choice(isInt, true, inside, beyond);
    }

    private String ofFloat(Node node) {
        boolean vector = isVector(node);
        Op op = node.op();
        String a = operand(node.input(0), vector);
        return switch (op) {
            case NEGATE -> "-" + a;
            case TO_FLOAT -> vector ? "convert_float" + width + "(" + a + ")" : "(float) " + a;
            case ABS -> "fabs(" + a + ")";
            case EXP, LOG, TANH, SQRT, FLOOR -> op.text + "(" + a + ")";
            case CHOOSE -> choose(node);
            default -> ofTwoFloats(node, a, operand(node.input(1), vector));
        };
    }

    private String ofTwoFloats(Node node, String a, String b) {
        boolean vector = isVector(node);
        Op op = node.op();
        if (op == Op.POW) {
            return "pow(" + a + ", " + b + ")";
        }
        if (op == Op.MIN || op == Op.MAX) {
            String better = b + (op == Op.MIN ? " < " : " > ") + a;
            String condition = isNeverNan(node.input(1)) ? better : "(" + better + ") | (" + b + " != " + b + ")";
            return choice("(" + condition + ")", vector, b, a);
        }
        if ((op == Op.ADD || op == Op.SUBTRACT) && isFused(node.input(0))) {
            return multiplyAdd(node.input(0), "", vector, (op == Op.ADD ? "" : "-") + b);
        }
        if ((op == Op.ADD || op == Op.SUBTRACT) && isFused(node.input(1))) {
            return multiplyAdd(node.input(1), op == Op.ADD ? "" : "-", vector, a);
        }
        return a + " " + op.text + " " + b;
    }

    private String multiplyAdd(Node product, String sign, boolean vector, String added) {
        return "MULTIPLY_ADD(" + sign + operand(product.input(0), vector) + ", " + operand(product.input(1), vector)
                + ", " + added + ")";
    }

    /** Returns true for a product that one sum takes, and that decides nothing. */
    private boolean isFused(Node product) {
        if (product.op() != Op.MULTIPLY
                || product.type() != Type.FLOAT
                || uses[product.number()] != 1
                || deciding[product.number()]) {
            return false;
        }
        for (Node node : nodes) {
            if (node.inputs().contains(product)) {
                boolean first = node.input(0).equals(product);
                return (node.op() == Op.ADD || node.op() == Op.SUBTRACT) && (first || !isFused(node.input(0)));
            }
        }
        return false;
    }

    private static boolean isNeverNan(Node node) {
        return switch (node.op()) {
            case LITERAL -> !Float.isNaN(node.asFloat());
            case TO_FLOAT -> true;
            case ABS, NEGATE -> isNeverNan(node.input(0));
            case MIN, MAX -> isNeverNan(node.input(0)) && isNeverNan(node.input(1));
            default -> false;
        };
    }
}
