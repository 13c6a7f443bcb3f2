package dev.attention4j.expression;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The parts of an operation that depend on places in the whole call: score expression, mask expression and dropout, any of which may
 * be missing, with their parameters. Immutable.
 */
public final class Expressions {
    /** None of them. */
    public static final Expressions NONE = new Expressions(null, null, null, null);

    /** The words of {@link #numbers} before those of dropout. */
    private static final int ORIGIN_WORDS = 6;

    private static final int DROPOUT_WORDS = 4;

    private final Formula score;
    private final Formula mask;
    /** Null for none. */
    private final Dropout dropout;
    /** Null for a whole call. */
    private final Origin origin;

    private Expressions(Formula score, Formula mask, Dropout dropout, Origin origin) {
        this.score = score;
        this.mask = mask;
        this.dropout = dropout;
        this.origin = origin;
    }

    /**
     * Returns these with another score expression.
     *
     * @param expression null for none
     * @throws IllegalArgumentException if it is no number, or the parameters are not those that it reads
     */
    public Expressions withScore(Expression expression, Map<String, Parameter> parameters) {
        if (expression == null) {
            return new Expressions(null, mask, dropout, origin);
        }
        if (expression.isBoolean()) {
            throw new IllegalArgumentException("\"" + Formula.excerpt(expression.text())
                    + "\" is a boolean, must be a number; a boolean expression is a mask");
        }
        return new Expressions(Formula.of(expression, parameters), mask, dropout, origin);
    }

    /**
     * Returns these with another mask expression.
     *
     * @param expression null for none
     * @throws IllegalArgumentException if it is no boolean, reads the score, or the parameters are not those that it reads
     */
    public Expressions withMask(Expression expression, Map<String, Parameter> parameters) {
        if (expression == null) {
            return new Expressions(score, null, dropout, origin);
        }
        if (!expression.isBoolean()) {
            throw new IllegalArgumentException("\"" + Formula.excerpt(expression.text())
                    + "\" is a number, must be a boolean: true where the query attends to the key");
        }
        if (expression.reads(Variable.SCORE)) {
            throw expression
                    .place()
                    .error(
                            expression.columnOf(Variable.SCORE.text()),
                            "a mask must not read the score; a score expression whose value is -infinity masks by it");
        }
        return new Expressions(score, Formula.of(expression, parameters), dropout, origin);
    }

    /**
     * Returns the same but for the score expression, of which it is the derivative by the score: evaluators and the printed {@code
     * score_expression} give that.
     *
     * @throws IllegalArgumentException if it has none: it makes an int of the score, or its floor
     */
    public Expressions derivative() {
        return new Expressions(score.derivative(), mask, dropout, origin);
    }

    /**
     * A parameter where the score expression reads it: a number, or an element of a table.
     *
     * @param read instead of the score expression what is read there; an evaluator of it gives the {@link DoubleEvaluator#places}
     * @param derivative instead of the score expression its derivative by what is read there
     */
    public record ParameterRead(Expressions read, Expressions derivative) {}

    /**
     * Returns each place where the score expression reads a parameter.
     *
     * @throws IllegalArgumentException if it reads no float parameter of this name, or has no derivative by it
     */
    public List<ParameterRead> reads(String parameter) {
        if (score == null) {
            throw new IllegalArgumentException(
                    "parameter: \"" + parameter + "\" of a score expression, but there is none");
        }
        return score.derivatives(parameter).stream()
                .map(read -> new ParameterRead(
                        new Expressions(read.read(), mask, dropout, origin),
                        new Expressions(read.derivative(), mask, dropout, origin)))
                .toList();
    }

    /** Returns the shape of a parameter that the score expression reads; no axes for a single number. */
    public int[] shape(String parameter) {
        return score.parameters
                .get(List.copyOf(score.expression.names().keySet()).indexOf(parameter))
                .shape()
                .clone();
    }

    /**
     * Returns these with another dropout.
     *
     * @throws IllegalArgumentException unless the rate is 0, for none, or more, and less than 1
     */
    public Expressions withDropout(double rate, long seed) {
        Dropout given = new Dropout(rate, seed);
        return new Expressions(score, mask, rate == 0 ? null : given, origin);
    }

    /** {@return the dropout of weights} */
    public Optional<Dropout> dropout() {
        return Optional.ofNullable(dropout);
    }

    /** Returns these for a part of a call. */
    public Expressions from(Origin place) {
        return new Expressions(score, mask, dropout, place);
    }

    /** {@return true if there is a score expression} */
    public boolean changeScores() {
        return score != null;
    }

    /** {@return true if there is a mask expression} */
    public boolean mask() {
        return mask != null;
    }

    /** {@return true if there is a mask expression, and it reads a variable} */
    public boolean maskReads(Variable variable) {
        return mask != null && mask.root.dependsOn(variable);
    }

    /** {@return the numbers in the parameters of the mask expression} */
    public long maskWords() {
        long words = 0;
        for (Parameter parameter : mask == null ? List.<Parameter>of() : mask.parameters) {
            words += parameter.words().length;
        }
        return words;
    }

    /** {@return an object that is equal for mask expressions with equal text and parameters} */
    public Object maskKey() {
        return mask == null ? "" : List.of(mask.signature(), mask.parameters);
    }

    /** {@return true if there is none of them} */
    public boolean isEmpty() {
        return score == null && mask == null && dropout == null;
    }

    /** {@return true if one of them reads a variable} */
    public boolean reads(Variable variable) {
        return formulas().stream().anyMatch(formula -> formula.expression.reads(variable));
    }

    /** {@return the score expression} */
    public Optional<Expression> score() {
        return Optional.ofNullable(score).map(formula -> formula.expression);
    }

    /** {@return the mask expression} */
    public Optional<Expression> maskIf() {
        return Optional.ofNullable(mask).map(formula -> formula.expression);
    }

    /**
     * Refuses tables that are too short for an index that is a variable alone; any other index is clamped to its table.
     *
     * @throws IllegalArgumentException naming table and index
     */
    public void check(int batch, int queryHeads, int keyValueHeads, int queryLength, int keyLength) {
        Origin place = place(queryLength, keyLength);
        Map<Variable, Integer> counts = new EnumMap<>(Variable.class);
        counts.put(Variable.BATCH, place.batch() + batch);
        counts.put(Variable.HEAD, place.head() + queryHeads);
        counts.put(Variable.KEY_VALUE_HEAD, place.keyValueHead() + keyValueHeads);
        counts.put(Variable.QUERY, place.query() + queryLength);
        counts.put(Variable.KEY, keyLength);
        for (Formula formula : formulas()) {
            formula.checkTables(counts);
        }
    }

    /**
     * Returns the place of a part of a call in the whole: these may be a part's already.
     *
     * @param queryLength of the call
     */
    public Origin place(int queryLength, int keyLength) {
        return origin == null ? Origin.of(queryLength, keyLength) : origin;
    }

    /** Returns an evaluator of the score expression in double, for one thread. */
    public DoubleEvaluator scoreInDouble(int queryLength, int keyLength) {
        return new DoubleEvaluator(score, place(queryLength, keyLength));
    }

    /** Returns an evaluator of the score expression in float, for one thread. */
    public FloatEvaluator scoreInFloat(int queryLength, int keyLength, FloatEvaluator.Tanh tanh) {
        return new FloatEvaluator(score, place(queryLength, keyLength), tanh);
    }

    /** Returns an evaluator of the mask expression, for one thread. */
    public FloatEvaluator maskInFloat(int queryLength, int keyLength, FloatEvaluator.Tanh tanh) {
        return new FloatEvaluator(mask, place(queryLength, keyLength), tanh);
    }

    // ---- for kernels

    private List<Formula> formulas() {
        List<Formula> formulas = new ArrayList<>();
        if (score != null) {
            formulas.add(score);
        }
        if (mask != null) {
            formulas.add(mask);
        }
        return formulas;
    }

    /**
     * {@return all that the OpenCL C of these depends on: expressions with equal signatures have equal text, whatever the values
     * of their parameters and the shapes of their tables}
     */
    public String signature() {
        return isEmpty()
                ? ""
                : (score == null ? "" : score.signature())
                        + "|"
                        + (mask == null ? "" : mask.signature())
                        + (dropout == null ? "" : "|dropout");
    }

    /**
     * Prints the functions {@code score_expression} and {@code mask_expression}, as far as there are such expressions; see the
     * description of this package.
     *
     * @param width the elements of a vector: 1, 2, 4, 8 or 16
     * @param vectors the arguments that are vectors of this width; the others are scalars
     */
    public String openClText(int width, Set<Variable> vectors) {
        String text =
                score == null ? "" : new OpenClText(score, width, vectors, firstWord()).function("score_expression");
        return text + openClTextOfMask(width, vectors);
    }

    /** Prints the function {@code mask_expression} alone, for a kernel with the same {@link #numbers}; empty without one. */
    public String openClTextOfMask(int width, Set<Variable> vectors) {
        int word = firstWord() + (score == null ? 0 : words(score));
        return mask == null ? "" : new OpenClText(mask, width, vectors, word).function("mask_expression");
    }

    /** Prints the same and, with a score expression, {@code score_derivative}, its derivative by the score. */
    public String openClTextOfGradients(int width, Set<Variable> vectors) {
        String derivative = score == null
                ? ""
                : new OpenClText(score.derivative(), width, vectors, firstWord()).function("score_derivative");
        return openClText(width, vectors) + derivative;
    }

    /** Returns the words of {@link #numbers} before those of the expressions. */
    private int firstWord() {
        return ORIGIN_WORDS + (dropout == null ? 0 : DROPOUT_WORDS);
    }

    /** Returns the words of a formula's numbers, and of the place and shape of its tables. */
    private static int words(Formula formula) {
        int words = 0;
        for (Parameter parameter : formula.parameters) {
            words += parameter.rank() + 1;
        }
        return words;
    }

    /**
     * Returns all numbers that the printed functions read, for a call: lengths and origin, with dropout its seed, threshold and
     * factor, numbers, and tables with their shapes; floats by their bits.
     *
     * @throws IllegalArgumentException if tables have more elements than an array
     */
    public int[] numbers(int queryLength, int keyLength) {
        long data = firstWord();
        for (Formula formula : formulas()) {
            data += words(formula);
        }
        long size = data;
        for (Formula formula : formulas()) {
            for (Parameter parameter : formula.parameters) {
                size += parameter.rank() == 0 ? 0 : parameter.words().length;
            }
        }
        if (size > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(
                    "parameters: tables of " + size + " elements in all, must be at most " + (Integer.MAX_VALUE - 8));
        }
        int[] numbers = new int[(int) size];
        Origin place = place(queryLength, keyLength);
        numbers[0] = place.queryLength();
        numbers[1] = place.keyLength();
        numbers[2] = place.batch();
        numbers[3] = place.head();
        numbers[4] = place.keyValueHead();
        numbers[5] = place.query();
        if (dropout != null) {
            numbers[6] = (int) dropout.seed();
            numbers[7] = (int) (dropout.seed() >>> 32);
            numbers[8] = (int) dropout.threshold();
            numbers[9] = Float.floatToRawIntBits((float) dropout.factor());
        }
        int word = firstWord();
        int at = (int) data;
        for (Formula formula : formulas()) {
            for (Parameter parameter : formula.parameters) {
                int[] words = parameter.words();
                numbers[word++] = parameter.rank() == 0 ? words[0] : at;
                for (int size0 : parameter.shape()) {
                    numbers[word++] = size0;
                }
                if (parameter.rank() > 0) {
                    System.arraycopy(words, 0, numbers, at, words.length);
                    at += words.length;
                }
            }
        }
        return numbers;
    }
}
