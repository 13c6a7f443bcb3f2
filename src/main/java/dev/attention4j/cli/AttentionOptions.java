package dev.attention4j.cli;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.ScoreExpression;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options of {@link Attention} but for masks and bias, which come from the file. */
final class AttentionOptions {
    /** The names of options by the library's names of parameters. */
    private static final Map<String, String> OPTIONS = Map.ofEntries(
            Map.entry("scale", "--scale"),
            Map.entry("softcap", "--softcap"),
            Map.entry("window", "--window"),
            Map.entry("causalOffsets", "--offsets"),
            Map.entry("keyLengths", "--key-lengths"),
            Map.entry("cumulativeLengths", "--cumulative-lengths"),
            Map.entry("alibiSlopes", "--alibi"),
            Map.entry("sinks", "--sinks"),
            Map.entry("queryMask", "query_mask"),
            Map.entry("score", "--score"),
            Map.entry("maskIf", "--mask-if"));

    @Option(
            names = "--scale",
            paramLabel = "S",
            description = "The factor of query . key. Default: 1 / sqrt(head dim).")
    private Double scale;

    @Option(
            names = "--softcap",
            paramLabel = "C",
            description = "Bounds scores to +-C by C tanh(score / C), before bias and masks.")
    private Double softcap;

    @Option(
            names = "--causal",
            paramLabel = "ALIGN",
            description = "Masks keys after each query's position; ALIGN says which key a query is aligned to:"
                    + " top-left (query 0 at key 0) or bottom-right (last query at last key).")
    private Alignment causal;

    @Option(
            names = "--offsets",
            paramLabel = "N",
            split = ",",
            description = "Causal with query i at key i + N; one N, or one for each batch row"
                    + " or packed sequence: 3,0,-2.")
    private int[] offsets;

    @Option(
            names = "--window",
            paramLabel = "L,R",
            description = "Attends to L keys before and R after each query's position; -1 is all.")
    private Window window;

    @Option(
            names = "--align",
            paramLabel = "ALIGN",
            description =
                    "Which key a query is aligned to for a --window, --alibi, --score or --mask-if that is not causal."
                            + " Default: top-left.")
    private Alignment align;

    @Option(
            names = "--key-lengths",
            paramLabel = "N",
            split = ",",
            description = "The number of keys that are not padding; one N, or one for each batch row.")
    private int[] keyLengths;

    @Option(
            names = "--cumulative-lengths",
            paramLabel = "Q[:K]",
            description =
                    "Sequences of unequal length are packed into one batch row: the start of each and, at the end,"
                            + " the end of the last, for queries and for keys (if they differ): 0,3,7:0,5,9.")
    private Cumulative cumulative;

    @Option(
            names = "--alibi",
            paramLabel = "SLOPES",
            description = "Adds -slope |position - key| to scores: 'geometric' for the slopes of the paper, or one for"
                    + " each query head: 0.5,0.25.")
    private Alibi alibi;

    @Option(
            names = "--sinks",
            paramLabel = "LOGITS",
            description = "A logit for each query head that joins its softmax's denominator; -inf for a head without.")
    private Numbers sinks;

    @Option(
            names = "--score",
            paramLabel = "EXPR",
            description = "Changes each score by an expression, such as 'score - slope[head] * abs(position - key)'.")
    private String score;

    @Option(
            names = "--mask-if",
            paramLabel = "EXPR",
            description = "Attends only where an expression is true, such as 'document[query] == document[key]'.")
    private String maskIf;

    @Option(
            names = "--param",
            paramLabel = "NAME=X",
            description = "A number that --score or --mask-if reads: an int, or a float such as 0.5.")
    private Map<String, String> numbers = new LinkedHashMap<>();

    @Option(
            names = "--table",
            paramLabel = "NAME=T",
            description = "A table that --score or --mask-if reads: a tensor of the input file.")
    private Map<String, String> tables = new LinkedHashMap<>();

    @Option(names = "--weights", description = "Also computes the weights: which key each query attends to.")
    private boolean weights;

    @Option(names = "--lse", description = "Also computes the log-sum-exp of each row's scores.")
    private boolean logSumExp;

    /**
     * The operation as asked for, but for what the tensors must be known for.
     *
     * @see #complete
     * @throws IllegalArgumentException naming the option that does not fit
     */
    AttentionBuilder builder() {
        return inOptionsTerms(this::given);
    }

    private AttentionBuilder given() {
        AttentionBuilder builder = Attention.builder().weights(weights).logSumExp(logSumExp);
        if (causal != null && offsets != null) {
            throw new IllegalArgumentException(
                    "--offsets: given with --causal, must be given alone: it is causal itself");
        }
        boolean aligned = window != null || alibi != null || score != null || maskIf != null;
        if (align != null && (!aligned || causal != null || offsets != null)) {
            throw new IllegalArgumentException(
                    "--align: must be given with --window, --alibi, --score or --mask-if and without --causal and"
                            + " --offsets, which align queries themselves");
        }
        if (keyLengths != null && cumulative != null) {
            throw new IllegalArgumentException("--key-lengths: given with --cumulative-lengths, must be given alone:"
                    + " those say how long each sequence is");
        }
        set(scale, builder::scale);
        set(softcap, builder::softcap);
        set(causal, builder::causal);
        set(offsets, builder::causalOffsets);
        set(window, sides -> builder.window(sides.left(), sides.right()));
        set(align, builder::align);
        set(keyLengths, builder::keyLengths);
        set(cumulative, lengths -> builder.cumulativeLengths(lengths.queries(), lengths.keys()));
        set(alibi == null || alibi.geometric() ? null : alibi.slopes(), builder::alibiSlopes);
        set(sinks == null ? null : sinks.numbers(), builder::sinks);
        return builder;
    }

    private static <T> void set(T given, Consumer<T> setter) {
        if (given != null) {
            setter.accept(given);
        }
    }

    /** The whole operation: with what depends on the tensors, and with masks and bias. */
    Attention complete(AttentionBuilder builder, AttendInputs inputs) {
        return inOptionsTerms(() -> {
            Tensor query = inputs.tensor("query");
            if (alibi != null && alibi.geometric() && query.rank() == 4) {
                builder.alibiSlopes(AttentionBuilder.geometricSlopes(Math.toIntExact(query.size(1))));
            }
            inputs.find("mask").ifPresent(builder::mask);
            inputs.find("bias").ifPresent(builder::bias);
            inputs.find("query_mask").ifPresent(builder::queryMask);
            addExpressions(builder, inputs);
            return builder.build();
        });
    }

    /** The names of tensors that expressions read. */
    Collection<String> tables() {
        return tables.values();
    }

    /** Each expression gets the parameters that it reads; one that neither reads is an error. */
    private void addExpressions(AttentionBuilder builder, AttendInputs inputs) {
        Set<String> unread = new TreeSet<>(numbers.keySet());
        unread.addAll(tables.keySet());
        if (score != null) {
            ScoreExpression expression = inOptionsTerms("--score", () -> ScoreExpression.parse(score));
            builder.score(expression, parameters(expression, inputs, unread));
        }
        if (maskIf != null) {
            ScoreExpression expression = inOptionsTerms("--mask-if", () -> ScoreExpression.parse(maskIf));
            builder.maskIf(expression, parameters(expression, inputs, unread));
        }
        unread.stream().findFirst().ifPresent(name -> {
            throw new IllegalArgumentException((numbers.containsKey(name) ? "--param" : "--table") + ": \""
                    + Text.printable(name) + "\", must be a name that --score or --mask-if reads");
        });
    }

    private ScoreParameters parameters(ScoreExpression expression, AttendInputs inputs, Set<String> unread) {
        ScoreParameters parameters = ScoreParameters.NONE;
        Set<String> names = new TreeSet<>(expression.scalars());
        names.addAll(expression.tables());
        for (String name : names) {
            unread.remove(name);
            if (numbers.containsKey(name)) {
                parameters = withNumber(parameters, name, numbers.get(name));
            } else if (tables.containsKey(name)) {
                parameters = parameters.with(name, inputs.tensor(tables.get(name)));
            }
        }
        return parameters;
    }

    private static ScoreParameters withNumber(ScoreParameters parameters, String name, String text) {
        try {
            return text.matches("[+-]?[0-9]+")
                    ? parameters.with(name, Integer.parseInt(text))
                    : parameters.with(name, Double.parseDouble(text));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "--param: " + name + " is \"" + Text.printable(text) + "\", must be an int or a float", e);
        }
    }

    /** Lets errors begin with an option. */
    private static <T> T inOptionsTerms(String option, Supplier<T> work) {
        try {
            return work.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + ": " + e.getMessage(), e);
        }
    }

    /** Does something whose errors begin with the name of a parameter, and puts the name of its option there. */
    static <T> T inOptionsTerms(Supplier<T> work) {
        try {
            return work.get();
        } catch (IllegalArgumentException e) {
            String message = String.valueOf(e.getMessage());
            int colon = message.indexOf(':');
            String option = colon < 0 ? null : OPTIONS.get(message.substring(0, colon));
            throw option == null ? e : new IllegalArgumentException(option + message.substring(colon), e);
        }
    }

    /** The number of keys that a query sees to each side. */
    private record Window(int left, int right) {}

    /** The starts and ends of packed sequences. */
    @SuppressWarnings("ArrayRecordComponent") // The words of an option; no caller compares two.
    private record Cumulative(int[] queries, int[] keys) {}

    /** Slopes as given, or those of the paper. */
    @SuppressWarnings("ArrayRecordComponent") // As above.
    private record Alibi(boolean geometric, float... slopes) {}

    /** A list of numbers. */
    @SuppressWarnings("ArrayRecordComponent") // As above.
    private record Numbers(float... numbers) {}

    /** Tells the command line how these options are written. */
    static void register(CommandLine commandLine) {
        commandLine.registerConverter(Alignment.class, AttentionOptions::alignment);
        commandLine.registerConverter(
                Window.class,
                text -> Text.parsed(
                        text,
                        "is no window, must be two whole numbers L,R such as 127,0 (-1 is unbounded)",
                        AttentionOptions::window));
        commandLine.registerConverter(
                Cumulative.class,
                text -> Text.parsed(
                        text,
                        "are no cumulative lengths, must be whole numbers Q,Q,...:K,K,... such as 0,3,7:0,5,9, or one"
                                + " list for both",
                        AttentionOptions::cumulative));
        commandLine.registerConverter(
                Alibi.class,
                text -> Text.parsed(
                        text,
                        "are no slopes, must be geometric or numbers such as 0.5,0.25",
                        list -> list.equals("geometric") ? new Alibi(true) : new Alibi(false, numbers(list))));
        commandLine.registerConverter(
                Numbers.class,
                text -> Text.parsed(
                        text,
                        "are no logits, must be numbers (or -inf) such as 0.5,-1.25",
                        list -> new Numbers(numbers(list))));
    }

    private static Alignment alignment(String text) {
        String name = text.toUpperCase(Locale.ROOT).replace('-', '_');
        return Arrays.stream(Alignment.values())
                .filter(alignment -> alignment.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException(
                        "\"" + text + "\" is no alignment, must be top-left or bottom-right"));
    }

    private static Window window(String text) {
        int[] sides = wholeNumbers(text);
        if (sides.length != 2) {
            throw new NumberFormatException(text);
        }
        return new Window(sides[0], sides[1]);
    }

    private static Cumulative cumulative(String text) {
        String[] sides = text.split(":", -1);
        if (sides.length > 2) {
            throw new NumberFormatException(text);
        }
        return new Cumulative(wholeNumbers(sides[0]), wholeNumbers(sides[sides.length - 1]));
    }

    private static int[] wholeNumbers(String list) {
        return Arrays.stream(list.split(",", -1))
                .mapToInt(number -> Integer.parseInt(number.strip()))
                .toArray();
    }

    private static float[] numbers(String list) {
        String[] parts = list.split(",", -1);
        float[] numbers = new float[parts.length];
        for (int n = 0; n < parts.length; n++) {
            String part = parts[n].strip();
            numbers[n] = part.equals("-inf") ? Float.NEGATIVE_INFINITY : Float.parseFloat(part);
        }
        return numbers;
    }
}
