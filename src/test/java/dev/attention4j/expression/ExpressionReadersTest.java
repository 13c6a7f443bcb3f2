package dev.attention4j.expression;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.params.provider.EnumSource.Mode.EXCLUDE;

import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The readers of an expression: against what Java gives for the same text, and the derivative by finite differences. */
class ExpressionReadersTest {
    private static final Map<String, Parameter> PARAMETERS = Map.of(
            "n", new Parameter(Type.INT, new int[] {-7}),
            "zero", new Parameter(Type.INT, new int[] {0}),
            "x", new Parameter(Type.FLOAT, new int[] {Float.floatToIntBits(2.5f)}),
            "t", new Parameter(Type.INT, new int[] {10, 11, 12, 13, 14, 15}, 2, 3),
            "f",
                    new Parameter(
                            Type.FLOAT,
                            Stream.of(0.5f, 1.5f, Float.NaN)
                                    .mapToInt(Float::floatToIntBits)
                                    .toArray(),
                            3));

    private static Expressions score(String text) {
        Expression expression = Expression.parse(text);
        Map<String, Parameter> used = new HashMap<>(PARAMETERS);
        used.keySet().retainAll(expression.names().keySet());
        return Expressions.NONE.withScore(expression, used);
    }

    /** The value for batch 1, head 2, key/value head 1, query 3, key 4, position 5, lengths 6 and 7. */
    private static float inFloat(Expressions expressions, float score) {
        float[] scores = {score};
        expressions.scoreInFloat(6, 7, x -> (float) Math.tanh(x)).replace(1, 2, 1, 3, 5, 4, 1, scores);
        return scores[0];
    }

    private static double inDouble(Expressions expressions, double score) {
        double[] scores = {score};
        expressions.scoreInDouble(6, 7).replace(1, 2, 1, 3, 5, 4, 1, scores);
        return scores[0];
    }

    static Stream<Arguments> values() {
        int most = Integer.MAX_VALUE;
        int least = Integer.MIN_VALUE;
        float nan = Float.NaN;
        float infinite = Float.POSITIVE_INFINITY;
        return Stream.of(
                Arguments.of("batch + 10 * head + 100 * keyValueHead + 1000 * query", 1f + 20 + 100 + 3000),
                Arguments.of("key + 10 * position + 100 * queryLength + 1000 * keyLength", 4f + 50 + 600 + 7000),
                Arguments.of("2147483647 + key", (float) (least + 3)),
                Arguments.of("-2147483648 - key", (float) (most - 3)),
                Arguments.of("1000000007 * (key + 1)", (float) (int) (1000000007L * 5)),
                Arguments.of("-(-2147483648 + key - 4)", (float) least),
                Arguments.of("abs(-2147483648 + key - 4)", (float) least),
                Arguments.of("7 / (key - 4)", 0f),
                Arguments.of("7 % (key - 4)", 0f),
                Arguments.of("7 / zero + 7 % zero", 0f),
                Arguments.of("(-2147483648 + key - 4) / (key - 5)", (float) least),
                Arguments.of("(-2147483648 + key - 4) % (key - 5)", 0f),
                Arguments.of("n / 2", -3f),
                Arguments.of("n % 4", -3f),
                Arguments.of("7 / 2 + 7 / 2.0", 6.5f),
                Arguments.of("(int) 2.9 + (int) -2.9", 0f),
                Arguments.of("(int) (score * 1e20)", (float) most),
                Arguments.of("(int) (score * -1e20)", (float) least),
                Arguments.of("(int) (0.0 / (score - 3.0))", 0f),
                Arguments.of("1 / (score - 3.0)", infinite),
                Arguments.of("log(score - 4.0)", nan),
                Arguments.of("sqrt(score - 4.0)", nan),
                Arguments.of("min(score, f[2])", nan),
                Arguments.of("min(f[2], score)", nan),
                Arguments.of("max(score, f[2])", nan),
                Arguments.of("max(f[2], score)", nan),
                Arguments.of("clamp(f[2], 0.0, 1.0)", nan),
                Arguments.of("clamp(score, 5.0, 1.0)", 1f),
                Arguments.of("clamp(key, 5, 9)", 5f),
                Arguments.of("pow(1.0, f[2]) + pow(f[2], 0.0) + pow(-1.0, infinity)", 3f),
                Arguments.of("pow(score, 2.0)", 9f),
                Arguments.of("exp(log(score))", 3f),
                Arguments.of("floor(-x) + floor(x)", -1f),
                Arguments.of("f[2] < 1.0 ? 1 : 2", 2f),
                Arguments.of("f[2] == f[2] ? 1 : 2", 2f),
                Arguments.of("f[2] != f[2] ? 1 : 2", 1f),
                Arguments.of("score >= 3.0 && score <= 3.0 && !(score > 3.0 || score < 3.0) ? 1 : 2", 1f),
                Arguments.of("(key == 4) == (query == 3) ? 1 : 2", 1f),
                Arguments.of("(key == 4) != true ? 1 : 2", 2f),
                Arguments.of("key < 4 ? 1 : key < 5 ? 2 : 3", 2f),
                Arguments.of("t[0][0] + t[1][2]", 25f),
                Arguments.of("t[key][-1 * key]", 13f),
                Arguments.of("t[key - 4][key - 3]", 11f),
                Arguments.of("f[-2147483648] + f[n]", 1f),
                Arguments.of("true ? score : -infinity", 3f),
                Arguments.of("x - x * 2", -2.5f),
                Arguments.of("(float) key / 8", 0.5f));
    }

    @ParameterizedTest
    @MethodSource("values")
    void bothEvaluatorsGiveWhatIsDefined(String text, Float want) {
        Expressions expressions = score(text);
        assertThat(Float.valueOf(inFloat(expressions, 3))).isEqualTo(want);
        assertThat(Float.valueOf((float) inDouble(expressions, 3))).isEqualTo(want);
    }

    /** Loops of their own for frequent operations, and the oracle, give what folding gives: for NaN, infinities and overflow too. */
    @ParameterizedTest
    @EnumSource(
            value = Op.class,
            names = {"LITERAL", "VARIABLE", "SCALAR", "ELEMENT", "CHOOSE", "CLAMP", "GREATER", "GREATER_EQUAL"},
            mode = EXCLUDE)
    void allComputeWhatArithmeticDefines(Op op) {
        int[] ints = {0, 1, -1, 2, 3, -7, 100, 46341, Integer.MAX_VALUE, Integer.MIN_VALUE};
        float[] floats = {
            0, -0f, 1, -1, 0.5f, 2.5f, -3.75f, 1e-30f, 1e-42f, 3e38f, -3e38f, 0x1p31f, Float.NaN, 1 / 0f, -1 / 0f
        };
        boolean ofBooleans = op == Op.NOT || op == Op.AND || op == Op.OR;
        if (!ofBooleans && op != Op.REMAINDER && op != Op.TO_FLOAT) {
            assertArithmetic(
                    op,
                    Type.FLOAT,
                    IntStream.range(0, floats.length)
                            .map(n -> Float.floatToIntBits(floats[n]))
                            .toArray());
        }
        if (ofBooleans) {
            assertArithmetic(op, Type.BOOLEAN, 0, 1);
        } else if (op != Op.TO_INT
                && (!op.isFunction() || List.of(Op.ABS, Op.MIN, Op.MAX).contains(op))) {
            assertArithmetic(op, Type.INT, ints);
        }
    }

    /** Computes an operation of all pairs of some numbers, a pair for each key. */
    private static void assertArithmetic(Op op, Type type, int... bits) {
        Type stored = type == Type.BOOLEAN ? Type.INT : type;
        int count = bits.length * bits.length;
        int[] left = IntStream.range(0, count).map(n -> bits[n / bits.length]).toArray();
        int[] right = IntStream.range(0, count).map(n -> bits[n % bits.length]).toArray();
        String a = type == Type.BOOLEAN ? "(a[key] != 0)" : "a[key]";
        String b = type == Type.BOOLEAN ? "(b[key] != 0)" : "b[key]";
        String text = op.isFunction()
                ? op.text + "(" + a + (op.arguments == 2 ? ", " + b : "") + ")"
                : op.isBinary() ? a + " " + op.text + " " + b : op.text + a;
        boolean decides = op.isComparison() || type == Type.BOOLEAN;
        Map<String, Parameter> tables = new HashMap<>();
        tables.put("a", new Parameter(stored, left, count));
        if (text.contains("b[")) {
            tables.put("b", new Parameter(stored, right, count));
        }
        Expressions expressions =
                Expressions.NONE.withScore(Expression.parse(decides ? text + " ? 1 : 0" : text), tables);
        float[] inFloat = new float[count];
        expressions.scoreInFloat(1, count, x -> (float) Math.tanh(x)).replace(0, 0, 0, 0, 0, 0, count, inFloat);
        double[] inDouble = new double[count];
        expressions.scoreInDouble(1, count).replace(0, 0, 0, 0, 0, 0, count, inDouble);
        Graph graph = new Graph();
        for (int n = 0; n < count; n++) {
            int folded = Arithmetic.fold(op, graph.literal(type, left[n]), graph.literal(type, right[n]));
            boolean isInt = decides || op == Op.TO_INT || (type == Type.INT && op != Op.TO_FLOAT);
            Float want = isInt ? (float) folded : Float.intBitsToFloat(folded);
            assertThat(Float.valueOf(inFloat[n])).as(text + " at " + n).isEqualTo(want);
            assertThat(Float.valueOf((float) inDouble[n]))
                    .as(text + " in double at " + n)
                    .isEqualTo(want);
        }
    }

    /** 0.1f · 3 is just above 0.3f in double, and 0.3f in float: a comparison is decided in float by all. */
    @Test
    void comparisonsAreDecidedInFloat() {
        Expressions expressions = score("(key - 1) * 0.1 <= 0.3 ? 1 : 2");
        assertThat(inFloat(expressions, 0)).isEqualTo(0.1f * 3 <= 0.3f ? 1 : 2);
        assertThat(inDouble(expressions, 0)).isEqualTo(inFloat(expressions, 0));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "score",
                "-score * 3.0 - score / x",
                "score * score - 2.0 / score",
                "abs(score - 4.0) + abs(score)",
                "min(score, 2.0) + max(score * 2.0, 1.0) + clamp(score, -5.0, 5.0)",
                "exp(score / 3.0) + log(score + 9.0) + tanh(score)",
                "sqrt(score + 2.0) * pow(score + 2.0, 2.5) + pow(2.0, score) + pow(score + 2.0, score)",
                "score < 1.0 ? 3.0 * score : score * score",
                "x * tanh(score / x) - f[1] * abs(position - key)",
                "score - (score / (1.0 + exp(-score)))",
            })
    void theDerivativeIsThatOfFiniteDifferences(String text) {
        Expressions expressions = score(text);
        Expressions derivative = expressions.derivative();
        DoubleUnaryOperator function = score -> inDouble(expressions, score);
        for (double at : new double[] {-0.7, 0.3, 1.9, 5.5}) {
            double step = 1e-6;
            double slope = (function.applyAsDouble(at + step) - function.applyAsDouble(at - step)) / (2 * step);
            assertThat(inDouble(derivative, at)).isCloseTo(slope, within(1e-6 * Math.max(1, Math.abs(slope))));
        }
        assertThat(derivative.signature()).isNotEqualTo(expressions.signature());
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = "->",
            value = {
                "floor(score) * 2.0 -> it goes through floor",
                "(float) (int) score -> it goes through a cast to int",
                "f[(int) score] -> it goes through a cast to int",
            })
    void whatHasNoDerivativeIsRefused(String text, String why) {
        assertThatThrownBy(() -> score(text).derivative())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("score: \"" + text + "\" has no derivative by the score")
                .hasMessageContaining(why);
        assertThat(inDouble(score("floor(x) + key").derivative(), 1)).isZero();
    }

    /** For each place where the parameter is read: there the table of the score's values is that of finite differences. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "score * x + x * x",
                "f[key % 2] * score + f[0] * f[1]",
                "x < 3.0 ? exp(x) * score : 0.0",
                "tanh(x * score) / sqrt(x) - pow(x, 2.0) + abs(x) + max(x, score) + log(x)",
                "score + key"
            })
    void theDerivativeByAParameterIsThatOfFiniteDifferences(String text) {
        for (String name : Expression.parse(text).names().keySet()) {
            int[] words = PARAMETERS.get(name).words();
            double[] gradient = new double[words.length];
            for (Expressions.ParameterRead read : score(text).reads(name)) {
                int place = read.read().scoreInDouble(6, 7).places(1, 2, 1, 3, 5, 4, 1)[0];
                gradient[place] += inDouble(read.derivative(), 0.75);
            }
            for (int n = 0; n < 2 && n < words.length; n++) {
                double step = 1 / 256.0;
                double slope = (with(text, name, n, step) - with(text, name, n, -step)) / (2 * step);
                assertThat(gradient[n]).isCloseTo(slope, within(1e-4 * Math.max(1, Math.abs(slope))));
            }
        }
    }

    /** The value of an expression with one element of a parameter changed. */
    private static double with(String text, String name, int n, double step) {
        Expression expression = Expression.parse(text);
        Map<String, Parameter> changed = new HashMap<>(PARAMETERS);
        changed.keySet().retainAll(expression.names().keySet());
        Parameter parameter = changed.get(name);
        int[] words = parameter.words().clone();
        words[n] = Float.floatToIntBits(Float.intBitsToFloat(words[n]) + (float) step);
        changed.put(name, new Parameter(parameter.type(), words, parameter.shape()));
        return inDouble(Expressions.NONE.withScore(expression, changed), 0.75);
    }

    /** Nothing of the user's text is printed, and neither values nor shapes change it. */
    @Test
    void theTextDependsOnTheExpressionAlone() {
        Expression expression = Expression.parse("score * barrier + get_global_id[key] + 1.5");
        EnumSet<Variable> vectors = EnumSet.of(Variable.SCORE, Variable.KEY);
        String one = Expressions.NONE
                .withScore(
                        expression,
                        Map.of(
                                "barrier", new Parameter(Type.INT, new int[] {3}),
                                "get_global_id", new Parameter(Type.FLOAT, new int[9], 9)))
                .openClText(8, vectors);
        String other = Expressions.NONE
                .withScore(
                        expression,
                        Map.of(
                                "barrier", new Parameter(Type.INT, new int[] {-8}),
                                "get_global_id", new Parameter(Type.FLOAT, new int[77], 77)))
                .openClText(8, vectors);
        assertThat(other)
                .isEqualTo(one)
                .doesNotContain("barrier", "get_global_id")
                .contains("float8 score_expression(");
    }

    /** Only operations that can overflow or divide by 0 are printed with a guard. */
    @Test
    void guardsStandWhereTheyAreNeeded() {
        String plain = score("abs(position - key) / 64 % 7 + key * 2").openClText(1, EnumSet.noneOf(Variable.class));
        assertThat(plain).doesNotContain("as_uint").doesNotContain("?");
        String guarded = score("position * key / n").openClText(1, EnumSet.noneOf(Variable.class));
        assertThat(guarded).contains("as_uint").contains("?");
    }

    /** PoCL takes a vector of ints apart for abs, and calls a large function for each key if it need not inline it. */
    @Test
    void theTextIsQuickOnVectors() {
        String text = score("score - f[head] * abs(position - key) + abs(n)")
                .openClText(16, EnumSet.of(Variable.SCORE, Variable.POSITION));
        assertThat(text)
                .startsWith("static __attribute__((always_inline)) float16 score_expression(")
                .contains("max(v", "as_uint")
                .doesNotContain("abs(");
    }

    @Test
    void booleansArePrintedAsInts() {
        String text = score("(n < 5 ? true : key < 3) ? score : 0").openClText(8, EnumSet.of(Variable.KEY));
        assertThat(text).contains("(int8)(-1)").doesNotContain("e-45");
    }

    @Test
    void numbersAreInTheOrderOfTheText() {
        Expressions expressions = score("x * t[key][0] + n")
                .withMask(Expression.parse("key < m"), Map.of("m", new Parameter(Type.INT, new int[] {77})));
        assertThat(expressions.numbers(6, 7))
                .containsExactly(
                        6,
                        7,
                        0,
                        0,
                        0,
                        0, // lengths and origin
                        Float.floatToIntBits(2.5f),
                        12,
                        2,
                        3,
                        -7, // x, t and its shape, n
                        77, // m
                        10,
                        11,
                        12,
                        13,
                        14,
                        15);
        assertThat(List.of(expressions.from(new Origin(1, 2, 3, 4, 60, 70)).numbers(6, 7)[5]))
                .containsExactly(4);
    }
}
