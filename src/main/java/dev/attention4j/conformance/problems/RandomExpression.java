package dev.attention4j.conformance.problems;

import dev.attention4j.AttentionBuilder;
import dev.attention4j.ScoreExpression;
import dev.attention4j.ScoreParameters;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Expressions drawn from a seed by the grammar of the language: every operator and function, ints that overflow, divisors of 0,
 * indices outside of tables. Scores stay between −9 and 9, and are no NaN, so that each pair counts in a result.
 *
 * <p>One expression of many parts, of which each key has one: a device builds it once for all.
 *
 * @param parts of score and mask together
 */
public record RandomExpression(
        String score, ScoreParameters scoreParameters, String mask, ScoreParameters maskParameters, int parts) {
    private static final int[] INTS = {0, 1, 2, 3, 5, 7, 13, 64, -1, -2, -9, 1000, 46341, Integer.MAX_VALUE};
    private static final String[] VARIABLES = {
        "batch", "head", "keyValueHead", "query", "key", "position", "queryLength", "keyLength", "key", "query"
    };

    /** Parts until the text is as long as this. */
    private static final int LONG_ENOUGH = 3000;

    private static final int MOST_PARTS = 16;
    private static final int MOST_OPERATIONS = 400;

    /** Draws expressions; the same for the same seed. */
    public static RandomExpression draw(long seed) {
        Draw draw = new Draw(new Random(seed));
        List<String> scores = new ArrayList<>();
        List<String> masks = new ArrayList<>();
        while (scores.size() < MOST_PARTS / 2 && draw.isShort()) {
            String part = draw.ofFloats(4, true);
            scores.add("!((" + part + ") <= 9.0) ? 9.0 : max(" + part + ", -9.0)");
            draw.operations += draw.operationsOf(part);
        }
        draw.operations = 0;
        draw.length = 0;
        while (masks.size() < MOST_PARTS / 2 && draw.isShort()) {
            masks.add(draw.booleans(4, false));
        }
        String score = joined(scores);
        String mask = joined(masks);
        return new RandomExpression(
                score, draw.parameters(score), mask, draw.parameters(mask), scores.size() + masks.size());
    }

    /** Adds them to an operation. */
    public AttentionBuilder addTo(AttentionBuilder builder) {
        return builder.score(score, scoreParameters).maskIf(mask, maskParameters);
    }

    /** Returns an expression that is each of the parts for some keys. */
    private static String joined(List<String> parts) {
        StringBuilder text = new StringBuilder();
        for (int n = 0; n < parts.size() - 1; n++) {
            text.append("key % ").append(parts.size()).append(" == ").append(n).append(" ? ");
            text.append('(').append(parts.get(n)).append(") : ");
        }
        return text.append('(').append(parts.get(parts.size() - 1)).append(')').toString();
    }

    /** Draws one after another. */
    private static final class Draw {
        private final Random random;
        private int operations;
        private int length;

        Draw(Random random) {
            this.random = random;
        }

        boolean isShort() {
            return length < LONG_ENOUGH / 2 && operations < MOST_OPERATIONS / 2;
        }

        int operationsOf(String part) {
            length += 2 * part.length();
            return 1;
        }

        private String op(String text) {
            operations++;
            return text;
        }

        private String one(String... choices) {
            return choices[random.nextInt(choices.length)];
        }

        /** An int. */
        String ints(int depth, boolean score) {
            if (depth == 0 || random.nextInt(6) == 0) {
                return switch (random.nextInt(5)) {
                    case 0 -> "" + INTS[random.nextInt(INTS.length)];
                    case 1 -> "n";
                    default -> one(VARIABLES);
                };
            }
            int less = depth - 1;
            return switch (random.nextInt(9)) {
                case 0, 1, 2 -> op("(" + ints(less, score) + " " + one("+", "-", "*") + " " + ints(less, score) + ")");
                case 3, 4 -> op("(" + ints(less, score) + " " + one("/", "%") + " " + ints(less, score) + ")");
                case 5 -> op(one("min", "max") + "(" + ints(less, score) + ", " + ints(less, score) + ")");
                case 6 -> op(one("abs(", "-(", "(") + ints(less, score) + ")");
                case 7 -> op("(" + booleans(less, score) + " ? " + ints(less, score) + " : " + ints(less, score) + ")");
                default ->
                    random.nextBoolean()
                            ? op(
                                    random.nextBoolean()
                                            ? "k[1 + " + ints(less, score) + "]"
                                            : "g[head][1 - " + ints(less, score) + "]")
                            : op("(int) (" + floats(less) + ")");
            };
        }

        /** A float that does not depend on the score. */
        String floats(int depth) {
            return ofFloats(depth, false);
        }

        String ofFloats(int depth, boolean score) {
            if (depth == 0 || random.nextInt(12) == 0) {
                return switch (random.nextInt(score ? 6 : 3)) {
                    case 0 -> one("0.5", "1.25", "-2.0", "0.1", "3.0");
                    case 1 -> "x";
                    case 2 -> "(float) (" + one(VARIABLES) + " % 16) * 0.1";
                    default -> "score";
                };
            }
            int less = depth - 1;
            String a = ofFloats(less, score);
            String b = ofFloats(less, random.nextBoolean() && score);
            return switch (random.nextInt(14)) {
                case 0, 1, 2 -> op("(" + a + " " + one("+", "-", "*") + " " + b + ")");
                case 3 -> op("(" + a + " / (abs(" + b + ") + 0.5))");
                case 4 -> op(one("min", "max") + "(" + a + ", " + b + ")");
                case 5 -> op("clamp(" + a + ", -2.0, " + b + ")");
                case 6 -> op("exp(min(" + a + ", 1.5))");
                case 7 -> op("log(abs(" + a + ") + 0.5)");
                case 8 -> op("tanh(" + a + ")");
                case 9 -> op("sqrt(abs(" + a + "))");
                case 10 -> op("pow(abs(" + a + ") + 0.5, " + one("2.0", "0.5", "-1.0", "1.5") + ")");
                case 11 -> op("(" + booleans(less, false) + " ? " + a + " : " + b + ")");
                case 12 -> op(one("-", "abs") + "(" + a + ")");
                default ->
                    random.nextBoolean()
                            ? op(
                                    random.nextBoolean()
                                            ? "f[1 + " + ints(less, false) + "]"
                                            : "h[1 - " + ints(less, false) + "][key]")
                            : op("floor(" + floats(less) + ")");
            };
        }

        String booleans(int depth, boolean score) {
            int less = Math.max(0, depth - 1);
            if (depth == 0) {
                return op("(" + ints(0, score) + " " + one("<=", ">", "!=") + " " + ints(0, score) + ")");
            }
            return switch (random.nextInt(8)) {
                case 0, 1 ->
                    op("(" + booleans(less, score) + " " + one("&&", "||", "==", "!=") + " " + booleans(less, score)
                            + ")");
                case 2 -> op("!(" + booleans(less, score) + ")");
                case 3 -> op("(" + floats(less) + " " + one("<", "<=", ">", ">=", "!=") + " " + floats(less) + ")");
                case 4 ->
                    op("(" + booleans(less, score) + " ? " + booleans(less, score) + " : " + booleans(less, score)
                            + ")");
                default ->
                    op("(" + ints(less, score) + " " + one("<", "<=", ">", ">=", "==", "!=") + " " + ints(less, score)
                            + ")");
            };
        }

        /** Values of the names that an expression reads. */
        ScoreParameters parameters(String text) {
            ScoreExpression expression = ScoreExpression.parse(text);
            Set<String> names = new HashSet<>(expression.scalars());
            names.addAll(expression.tables());
            ScoreParameters all = ScoreParameters.NONE;
            all = names.contains("n") ? all.with("n", random.nextInt(7) - 2) : all;
            all = names.contains("x") ? all.with("x", random.nextGaussian()) : all;
            all = names.contains("k") ? all.with("k", random.ints(37, -5, 20).toArray()) : all;
            all = names.contains("g")
                    ? all.with("g", random.ints(16 * 3, -5, 99).toArray(), 16, 3)
                    : all;
            all = names.contains("f") ? all.with("f", numbers(50), 50) : all;
            return names.contains("h") ? all.with("h", numbers(3 * 128), 3, 128) : all;
        }

        private float[] numbers(int count) {
            float[] numbers = new float[count];
            for (int n = 0; n < numbers.length; n++) {
                numbers[n] = (float) random.nextGaussian();
            }
            return numbers;
        }
    }
}
