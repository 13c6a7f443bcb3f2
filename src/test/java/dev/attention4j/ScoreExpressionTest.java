package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The language: what is accepted, how it is written, and what each error says and where. */
class ScoreExpressionTest {
    @ParameterizedTest
    @CsvSource(
            delimiterString = "->",
            value = {
                "score-slope[head]*abs(position-key) -> score - slope[head] * abs(position - key)",
                "((score)) -> score",
                "(score + 1) - (2 - 3) -> score + 1 - (2 - 3)",
                "a ? b ? 1 : 2 : c ? 3 : 4 -> !",
                "query<key||query==key&&!(head>=2) ? 1 : 0 -> query < key || query == key && !(head >= 2) ? 1 : 0",
                "(query<key ? query : key)+1 -> (query < key ? query : key) + 1",
                "1 * -(-score) -> 1 * - -score",
                "1 * - -score -> 1 * - -score",
                "+score -> score",
                "-2147483648 -> -2147483648",
                "(int)score*2 -> (int) score * 2",
                "(int)(score*2) -> (int) (score * 2)",
                "1e3f+.5+2.+1E-7 -> 1000.0 + 0.5 + 2.0 + 1.0e-7",
                "table [ key/2 ] [ head ] -> table[key / 2][head]",
                "clamp(score,-1,1) -> clamp(score, -1, 1)",
                "key <= position ? score : -infinity -> key <= position ? score : -infinity",
                "(query == key) == true -> query == key == true",
            })
    void canonicalTextIsParsedToTheSame(String text, String canonical) {
        if (canonical.equals("!")) {
            assertThatThrownBy(() -> ScoreExpression.parse(text)).hasMessageContaining("must have a boolean");
            return;
        }
        ScoreExpression expression = ScoreExpression.parse(text);
        assertThat(expression).hasToString(canonical);
        assertThat(ScoreExpression.parse(canonical)).isEqualTo(expression).hasSameHashCodeAs(expression);
    }

    @Test
    void knowsItsTypeAndNames() {
        ScoreExpression expression = ScoreExpression.parse("score - slope[head] * x + bias[query][key] * x");
        assertThat(expression.isBoolean()).isFalse();
        assertThat(expression.scalars()).containsExactly("x");
        assertThat(expression.tables()).containsExactly("bias", "slope");
        assertThat(expression.indices("bias")).isEqualTo(2);
        assertThatThrownBy(() -> expression.indices("x")).hasMessage("table: \"x\", must be one of [bias, slope]");
        assertThat(ScoreExpression.parse("key <= position").isBoolean()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = "->",
            value = {
                "score + -> 8 -> found the end, expected a number, a name or '('",
                "(score -> 7 -> found the end, expected ')' or an operator",
                "score key -> 7 -> found \"key\", expected an operator or the end",
                "score = 1 -> 7 -> found '=', expected a name, a number or an operator; equal is ==",
                "query & key -> 7 -> found '&', expected a name, a number or an operator; and is &&",
                "query | key -> 7 -> found '|', expected a name, a number or an operator; or is ||",
                "score ^ 2 -> 7 -> found '^', expected a name, a number or an operator; a power is pow(x, y)",
                "ab(score) -> 1 -> \"ab\" is no function, must be one of abs, min, max, clamp, exp, log, tanh, sqrt, pow, floor;"
                        + " did you mean \"abs\"?",
                "score + tahn(score) -> 9 -> did you mean \"tanh\"?",
                "max(1) -> 1 -> max has 1 argument, must have 2",
                "exp() -> 1 -> exp has 0 arguments, must have 1",
                "exp + 1 -> 1 -> \"exp\" is a function, expected '(' after it",
                "1 + int -> 5 -> found \"int\", expected a value; a cast is written (int) x",
                "head[1] -> 1 -> \"head\" is a variable, must not be indexed",
                "t[1,2] -> 4 -> found \",\", expected ']' or an operator; each further index has brackets of its own",
                "t[1][1][1][1][1] -> 1 -> \"t\" has 5 indices, must have at most 4",
                "t[1] + t[1][2] -> 8 -> \"t\" has 2 indices here, must have 1 index as before",
                "t + t[1] -> 5 -> \"t\" has 1 index here, must have no index as before",
                "t[score] -> 3 -> an index must be an int, but this is a float; (int) x makes an int of it",
                "score % 2 -> 1 -> \"%\" must have an int, but this is a float; (int) x makes an int of it",
                "(query < key) + 1 -> 8 -> \"+\" must have a number, but this is a boolean; x ? 1 : 0 makes a number of it",
                "query < key < 3 -> 7 -> \"<\" must have a number, but this is a boolean; x ? 1 : 0 makes a number of it",
                "query && key < 3 -> 1 -> \"&&\" must have a boolean, but this is an int",
                "!query -> 2 -> \"!\" must have a boolean, but this is an int",
                "query ? 1 : 2 -> 1 -> \"?\" must have a boolean before it, but this is an int",
                "true ? 1 : false -> 12 -> both values of \"?:\" must be numbers or both booleans, but this is a boolean",
                "true ? 1 -> 9 -> found the end, expected ':' and the value if the condition is false",
                "2147483648 -> 1 -> 2147483648 is no int, must be at most 2147483647; 2147483648.0 is a float",
                "1e39 -> 1 -> 1e39 is no float, must be at most 3.4028235E38",
                "score; 1 -> 6 -> found ';', expected a name, a number or an operator",
            })
    void errorsPointAtTheColumn(String text, int column, String message) {
        assertThatThrownBy(() -> ScoreExpression.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("column " + column + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void aCaretStandsBelowTheColumn() {
        assertThatThrownBy(() -> ScoreExpression.parse("score + ab(key)"))
                .message()
                .endsWith("\n  score + ab(key)\n          ^");
        String longText = "score + ".repeat(60) + "ab(key)" + " + score".repeat(60);
        assertThatThrownBy(() -> ScoreExpression.parse(longText)).satisfies(error -> {
            String[] lines = error.getMessage().split("\n");
            assertThat(lines).hasSize(3);
            assertThat(lines[1].substring(lines[2].length() - 1)).startsWith("ab(key)");
        });
    }

    /** Text that is no mistake but an attack is refused in one line, without repeating it. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void hostileTextIsRefusedInOneLine(int which) {
        String text =
                switch (which) {
                    case 0 -> "(".repeat(10_000) + "1" + ")".repeat(10_000);
                    case 1 -> "(".repeat(2_000) + "1" + ")".repeat(2_000);
                    case 2 -> "score\"); barrier(CLK_LOCAL_MEM_FENCE); (\"";
                    case 3 -> "score\0 + 1";
                    case 4 -> "9".repeat(1_000);
                    case 5 -> "1e" + "9".repeat(1_000);
                    case 6 -> "-".repeat(3_000) + "1";
                    case 7 -> "score" + " + 1".repeat(1_000);
                    case 8 -> "1e30f" + "*1e30f".repeat(500);
                    case 9 -> "sc\u043ere";
                    default -> "x".repeat(1_000);
                };
        assertThatThrownBy(() -> ScoreExpression.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .message()
                .doesNotContain("\n")
                .hasSizeLessThan(160);
    }

    @ParameterizedTest
    @ValueSource(strings = {"get_global_id(0)", "barrier(1)", "as_int(score)", "select(1, 2, 3)", "printf(score)"})
    void builtInFunctionsOfOpenClAreNone(String text) {
        assertThatThrownBy(() -> ScoreExpression.parse(text))
                .hasMessageContaining("is no function, must be one of abs,");
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = "->",
            value = {
                "score + hed -> score: column 9: \"hed\" is no variable, and no parameter of that name is given; did you mean"
                        + " \"head\"?",
                "score + y -> score: column 9: \"y\" is no variable, and no parameter of that name is given",
                "score + slop * n -> did you mean \"slope\"?",
                "score -> score: parameters: \"n\" is not read by \"score\"",
                "n[1] * score -> score: column 1: \"n\" is given as a single int, must be a table of 1 axis as it is read here",
                "score + n + slope[1] + table[1] -> \"table\" is given as a table of ints of shape [2, 3], must be a table of 1"
                        + " axis",
                "score + n + slope[1] + table -> must be a single number as it is read here",
                "score + table[slope[1]][n] -> score: column 15: an index must be an int, but this is a float",
                "score + n % 2 + table[1][2] % slope[0] -> score: column 31: \"%\" must have an int, but this is a float",
                "key < n -> is a boolean, must be a number; a boolean expression is a mask",
            })
    void parametersMustFit(String text, String message) {
        ScoreParameters parameters = ScoreParameters.NONE
                .with("n", 3)
                .with("slope", new float[] {1, 2})
                .with("table", new int[] {1, 2, 3, 4, 5, 6}, 2, 3);
        assertThatThrownBy(() -> Attention.builder().score(text, parameters))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void masksAreBooleansThatDoNotReadTheScore() {
        assertThatThrownBy(() -> Attention.builder().maskIf("key"))
                .hasMessage("maskIf: \"key\" is a number, must be a boolean: true where the query attends to the key");
        assertThatThrownBy(() -> Attention.builder().maskIf("key < 3 && score > 0"))
                .hasMessageStartingWith("maskIf: column 12: a mask must not read the score;");
    }

    @Test
    void badParametersAreRefused() {
        ScoreParameters none = ScoreParameters.NONE;
        assertThatThrownBy(() -> none.with("a b", 1)).hasMessageStartingWith("name: must be a letter or _");
        assertThatThrownBy(() -> none.with("x", 1e300)).hasMessageStartingWith("x: 1.0E300, must be at most");
        assertThatThrownBy(() -> none.with("x", new int[3], 2))
                .hasMessageStartingWith("x: 3 elements of shape [2], must");
        assertThatThrownBy(() -> none.with("x", new int[0])).hasMessageContaining("none of them empty");
        assertThatThrownBy(() -> none.with("x", new int[1], 1, 1, 1, 1, 1)).hasMessageContaining("at most 4 axes");
        Tensor longs = Tensor.zeros(DType.INT64, 1);
        longs.bytes().putLong(0, 1L << 40);
        assertThatThrownBy(() -> none.with("x", longs))
                .hasMessage("x: element 0 is 1099511627776, must be an int of 32 bits");
    }

    /** A table that a variable alone indexes must be long enough; other indices are clamped. */
    @Test
    void shortTablesAreRefused() {
        ScoreParameters slopes = ScoreParameters.NONE.with("slope", new float[] {1, 2});
        Attention attention =
                Attention.builder().score("score * slope[head]", slopes).build();
        assertThatThrownBy(() -> new AttentionProblem(1, 4, 2, 3, 3, 8, 8, DType.FLOAT32, attention))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("parameters: \"slope\" is a table of floats of shape [2], must have at least 4"
                        + " elements along axis 0, which \"head\" indexes");
        Attention clamped =
                Attention.builder().score("score * slope[head + 0]", slopes).build();
        assertThat(new AttentionProblem(1, 4, 2, 3, 3, 8, 8, DType.FLOAT32, clamped).queryHeads())
                .isEqualTo(4);
    }

    @Test
    void theOperationTellsItsExpressions() {
        Attention attention =
                Attention.builder().score("score*2").maskIf("key<=position").build();
        assertThat(attention.score()).contains(ScoreExpression.parse("score * 2"));
        assertThat(attention.maskIf()).contains(ScoreExpression.parse("key <= position"));
        assertThat(attention).hasToString("Attention[TOP_LEFT, score=score * 2, maskIf=key <= position]");
        assertThat(attention.toBuilder().score((ScoreExpression) null).build().score())
                .isEmpty();
    }
}
