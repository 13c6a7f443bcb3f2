package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;

/**
 * Any text is parsed, to what its canonical text is parsed to as well, or refused by an error that is no longer than a few lines;
 * what is parsed is printed and evaluated. The inputs stored next to this class are run each time; {@code mvn -Pfuzz test}
 * makes more.
 */
class ScoreExpressionFuzzTest {
    @FuzzTest(maxDuration = "10m")
    void isParsedOrRefused(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        ScoreExpression expression;
        try {
            expression = ScoreExpression.parse(text);
        } catch (IllegalArgumentException e) {
            assertThat(e.getMessage().length()).isLessThan(500);
            assertThat(e.getMessage().chars()).allMatch(c -> c == '\n' || (c >= ' ' && c < 127));
            return;
        }
        assertThat(ScoreExpression.parse(expression.toString())).isEqualTo(expression);
        ScoreParameters parameters = ScoreParameters.NONE;
        for (String name : expression.scalars()) {
            parameters = parameters.with(name, name.length());
        }
        for (String name : expression.tables()) {
            long[] shape = {2, 3, 1, 2};
            int elements = new int[] {2, 6, 6, 12}[expression.indices(name) - 1];
            parameters = parameters.with(name, new int[elements], Arrays.copyOf(shape, expression.indices(name)));
        }
        AttentionBuilder builder = Attention.builder();
        if (!expression.isBoolean()) {
            builder.score(expression, parameters);
        } else if (!expression.expression().reads(Variable.SCORE)) {
            builder.maskIf(expression, parameters);
        }
        Attention attention = builder.build();
        String printed = attention.expressions().openClText(8, EnumSet.of(Variable.SCORE, Variable.KEY));
        assertThat(printed.length()).isLessThan(1_000_000);
        if (!expression.isBoolean()) {
            attention.expressions().scoreInDouble(3, 4).replace(0, 0, 0, 1, 1, 0, 3, new double[3]);
            differentiate(attention.expressions());
        }
    }

    private static void differentiate(Expressions expressions) {
        try {
            Expressions derivative = expressions.derivative();
            assertThat(derivative.openClText(1, EnumSet.noneOf(Variable.class)).length())
                    .isLessThan(4_000_000);
            derivative.scoreInDouble(3, 4).replace(0, 0, 0, 1, 1, 0, 3, new double[3]);
        } catch (IllegalArgumentException e) {
            assertThat(e).hasMessageContaining("has no derivative by the score");
        }
    }
}
