package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Makes a tree of an expression's text: by recursive descent, with bounds on length, depth and operations.
 *
 * <pre>
 * choice   = binary [ "?" choice ":" choice ]
 * binary   = unary { operator unary }            || &&  == !=  &lt; &lt;= > >=  + -  * / %
 * unary    = "-" unary | "+" unary | "!" unary | "(" "int" | "float" ")" unary | primary
 * primary  = number | "true" | "false" | "infinity" | "(" choice ")" | function "(" choice { "," choice } ")"
 *          | name { "[" choice "]" }
 * </pre>
 */
final class Parser {
    private static final Set<String> RESERVED = Set.of("int", "float", "true", "false", "infinity");
    private static final int MOST_INDICES = 4;

    private final Place place;
    private final List<Token> tokens;
    private int at;
    private int depth;
    private int operations;
    /** The indices of each table, and 0 for each scalar, in the order of their first use. */
    private final Map<String, Integer> names = new LinkedHashMap<>();

    private Parser(String text) {
        place = new Place(text);
        tokens = Token.of(text);
    }

    /**
     * A parsed text.
     *
     * @param names the indices of each table, and 0 for each scalar, in the order of their first use
     */
    record Parsed(Place place, Syntax syntax, Map<String, Integer> names) {}

    static Parsed parse(String text) {
        if (text.length() > Expression.MOST_CHARACTERS) {
            throw new IllegalArgumentException("an expression of " + text.length() + " characters, must have at most "
                    + Expression.MOST_CHARACTERS);
        }
        Parser parser = new Parser(text);
        Syntax syntax = parser.choice();
        parser.expect(Token.Kind.END, "", "an operator or the end");
        return new Parsed(parser.place, syntax, parser.names);
    }

    private Token next() {
        return tokens.get(at);
    }

    private Token take() {
        return tokens.get(at++);
    }

    private boolean takeIf(String sign) {
        if (next().is(sign)) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(Token.Kind kind, String text, String what) {
        if (next().kind() != kind || !next().text().equals(text)) {
            throw place.error(next().column(), "found " + next().described() + ", expected " + what);
        }
        at++;
    }

    private Syntax counted(Syntax syntax) {
        if (++operations > Expression.MOST_OPERATIONS) {
            throw Place.refusal(
                    syntax.column(), "an expression may have at most " + Expression.MOST_OPERATIONS + " operations");
        }
        return syntax;
    }

    private void enter() {
        if (++depth > Expression.MOST_DEPTH) {
            throw Place.refusal(
                    next().column(), "an expression may be nested at most " + Expression.MOST_DEPTH + " deep");
        }
    }

    private Syntax choice() {
        enter();
        Syntax condition = binary(Op.OR.precedence);
        Token question = next();
        if (takeIf("?")) {
            Syntax whenTrue = choice();
            expect(Token.Kind.SIGN, ":", "':' and the value if the condition is false");
            Syntax whenFalse = choice();
            condition = counted(Syntax.of(Op.CHOOSE, question.column(), condition, whenTrue, whenFalse));
        }
        depth--;
        return condition;
    }

    private Syntax binary(int precedence) {
        if (precedence > Op.MULTIPLY.precedence) {
            return unary();
        }
        Syntax left = binary(precedence + 1);
        while (true) {
            Optional<Op> op = Op.binary(next().text()).filter(found -> found.precedence == precedence);
            if (op.isEmpty()) {
                return left;
            }
            int column = take().column();
            left = counted(Syntax.of(op.get(), column, left, binary(precedence + 1)));
        }
    }

    private Syntax unary() {
        Token token = next();
        if (!token.is("-") && !token.is("+") && !token.is("!") && !isCast()) {
            return primary();
        }
        enter();
        at++;
        Syntax syntax;
        if (token.is("-")) {
            syntax = negated(token);
        } else if (token.is("+")) {
            syntax = unary();
        } else if (token.is("!")) {
            syntax = counted(Syntax.of(Op.NOT, token.column(), unary()));
        } else {
            Op op = take().text().equals("int") ? Op.TO_INT : Op.TO_FLOAT;
            expect(Token.Kind.SIGN, ")", "')'");
            syntax = counted(Syntax.of(op, token.column(), unary()));
        }
        depth--;
        return syntax;
    }

    /** The least int is a minus sign and a number that is no int. */
    private Syntax negated(Token sign) {
        boolean least = next().kind() == Token.Kind.INT && next().text().equals("2147483648");
        Syntax operand = least ? Syntax.literal(take().column(), Type.INT, Integer.MIN_VALUE) : unary();
        return counted(Syntax.of(Op.NEGATE, sign.column(), operand));
    }

    private boolean isCast() {
        Token word = tokens.get(Math.min(at + 1, tokens.size() - 1));
        return next().is("(") && (word.text().equals("int") || word.text().equals("float"));
    }

    private Syntax primary() {
        Token token = take();
        return switch (token.kind()) {
            case INT -> Syntax.literal(token.column(), Type.INT, intOf(token));
            case FLOAT -> Syntax.literal(token.column(), Type.FLOAT, floatOf(token));
            case NAME -> named(token);
            default -> parenthesized(token);
        };
    }

    private Syntax parenthesized(Token token) {
        if (!token.is("(")) {
            throw place.error(token.column(), "found " + token.described() + ", expected a number, a name or '('");
        }
        Syntax inner = choice();
        expect(Token.Kind.SIGN, ")", "')' or an operator");
        return inner;
    }

    private static int intOf(Token token) {
        try {
            return Integer.parseInt(token.text());
        } catch (NumberFormatException e) {
            throw Place.refusal(
                    token.column(),
                    token.text() + " is no int, must be at most 2147483647; " + token.text() + ".0 is a float");
        }
    }

    private static int floatOf(Token token) {
        float number = Float.parseFloat(token.text());
        if (Float.isInfinite(number)) {
            throw Place.refusal(token.column(), token.text() + " is no float, must be at most " + Float.MAX_VALUE);
        }
        return Float.floatToIntBits(number);
    }

    private Syntax named(Token token) {
        String name = token.text();
        int column = token.column();
        if (name.equals("true") || name.equals("false")) {
            return Syntax.literal(column, Type.BOOLEAN, name.equals("true") ? 1 : 0);
        }
        if (name.equals("infinity")) {
            return Syntax.literal(column, Type.FLOAT, Float.floatToIntBits(Float.POSITIVE_INFINITY));
        }
        if (next().is("(")) {
            return call(token);
        }
        if (Op.function(name).isPresent()) {
            throw place.error(column, "\"" + name + "\" is a function, expected '(' after it");
        }
        if (RESERVED.contains(name)) {
            throw place.error(column, "found \"" + name + "\", expected a value; a cast is written (" + name + ") x");
        }
        List<Syntax> indices = new ArrayList<>();
        while (takeIf("[")) {
            indices.add(choice());
            expect(Token.Kind.SIGN, "]", "']' or an operator; each further index has brackets of its own");
        }
        if (Variable.of(name).isPresent()) {
            if (!indices.isEmpty()) {
                throw place.error(column, "\"" + name + "\" is a variable, must not be indexed");
            }
            return Syntax.name(Op.VARIABLE, column, name, List.of());
        }
        if (indices.size() > MOST_INDICES) {
            throw place.error(
                    column, "\"" + name + "\" has " + indices.size() + " indices, must have at most " + MOST_INDICES);
        }
        Integer before = names.putIfAbsent(name, indices.size());
        if (before != null && before != indices.size()) {
            throw place.error(
                    column,
                    "\"" + name + "\" has " + counted(indices.size()) + " here, must have " + counted(before)
                            + " as before");
        }
        return indices.isEmpty()
                ? Syntax.name(Op.SCALAR, column, name, List.of())
                : counted(Syntax.name(Op.ELEMENT, column, name, indices));
    }

    private static String counted(int indices) {
        return indices == 0 ? "no index" : indices == 1 ? "1 index" : indices + " indices";
    }

    private Syntax call(Token token) {
        Op op = Op.function(token.text()).orElse(null);
        if (op == null) {
            List<String> functions = Arrays.stream(Op.values())
                    .filter(Op::isFunction)
                    .map(function -> function.text)
                    .toList();
            throw place.error(
                    token.column(),
                    "\"" + token.text() + "\" is no function, must be one of " + String.join(", ", functions)
                            + Place.didYouMean(token.text(), functions));
        }
        at++;
        List<Syntax> inputs = new ArrayList<>();
        if (!next().is(")")) {
            do {
                inputs.add(choice());
            } while (takeIf(","));
        }
        expect(Token.Kind.SIGN, ")", "')', ',' or an operator");
        if (inputs.size() != op.arguments) {
            throw place.error(
                    token.column(),
                    op.text + " has " + inputs.size() + " argument" + (inputs.size() == 1 ? "" : "s") + ", must have "
                            + op.arguments);
        }
        return counted(new Syntax(op, token.column(), null, 0, "", inputs));
    }
}
