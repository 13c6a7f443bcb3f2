package dev.attention4j.cli;

import dev.attention4j.AlibiSlopes;
import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.Tensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options of {@link Attention} but for mask and bias, which come from the file. */
final class AttentionOptions {
    private static final String ALIGNMENTS = "top-left or bottom-right";

    /** What the library calls them, and what they are called here. */
    private static final Map<String, String> OPTIONS = Map.of(
            "scale",
            "--scale",
            "softcap",
            "--softcap",
            "window",
            "--window",
            "causalOffsets",
            "--offsets",
            "keyLengths",
            "--key-lengths",
            "cumulativeLengths",
            "--cumulative-lengths",
            "alibiSlopes",
            "--alibi",
            "sinks",
            "--sinks");

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
            converter = AlignmentConverter.class,
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
            converter = WindowConverter.class,
            description = "Attends to L keys before and R after each query's position; -1 is all.")
    private Window window;

    @Option(
            names = "--align",
            paramLabel = "ALIGN",
            converter = AlignmentConverter.class,
            description =
                    "Which key a query is aligned to for a --window or --alibi that is not causal. Default: top-left.")
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
            converter = CumulativeConverter.class,
            description =
                    "Sequences of unequal length are packed into one batch row: the start of each and, at the end,"
                            + " the end of the last, for queries and for keys (if they differ): 0,3,7:0,5,9.")
    private Cumulative cumulative;

    @Option(
            names = "--alibi",
            paramLabel = "SLOPES",
            converter = AlibiConverter.class,
            description = "Adds -slope |position - key| to scores: 'geometric' for the slopes of the paper, or one for"
                    + " each query head: 0.5,0.25.")
    private Alibi alibi;

    @Option(
            names = "--sinks",
            paramLabel = "LOGITS",
            converter = SinksConverter.class,
            description = "A logit for each query head that joins its softmax's denominator; -inf for a head without.")
    private Numbers sinks;

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
        if (align != null && ((window == null && alibi == null) || causal != null || offsets != null)) {
            throw new IllegalArgumentException(
                    "--align: must be given with --window or --alibi and without --causal and --offsets,"
                            + " which align queries themselves");
        }
        if (keyLengths != null && cumulative != null) {
            throw new IllegalArgumentException("--key-lengths: given with --cumulative-lengths, must be given alone:"
                    + " those say how long each sequence is");
        }
        if (scale != null) {
            builder.scale(scale);
        }
        if (softcap != null) {
            builder.softcap(softcap);
        }
        if (causal != null) {
            builder.causal(causal);
        }
        if (offsets != null) {
            builder.causalOffsets(offsets);
        }
        if (window != null) {
            builder.window(window.left(), window.right());
        }
        if (align != null) {
            builder.align(align);
        }
        if (keyLengths != null) {
            builder.keyLengths(keyLengths);
        }
        if (cumulative != null) {
            builder.cumulativeLengths(cumulative.queries(), cumulative.keys());
        }
        if (alibi != null && !alibi.geometric()) {
            builder.alibiSlopes(alibi.slopes());
        }
        if (sinks != null) {
            builder.sinks(sinks.numbers());
        }
        return builder;
    }

    /** The whole operation: with what depends on the tensors, and with mask and bias. */
    Attention complete(AttentionBuilder builder, AttendInputs inputs) {
        return inOptionsTerms(() -> {
            Tensor query = inputs.tensor("query");
            if (alibi != null && alibi.geometric() && query.rank() == 4) {
                builder.alibiSlopes(AlibiSlopes.geometric(Math.toIntExact(query.size(1))));
            }
            inputs.find("mask").ifPresent(builder::mask);
            inputs.find("bias").ifPresent(builder::bias);
            return builder.build();
        });
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

    /** How far a query sees to each side. */
    record Window(int left, int right) {}

    /** Reads {@code top-left}. */
    static final class AlignmentConverter implements ITypeConverter<Alignment> {
        @Override
        public Alignment convert(String text) {
            String name = text.toUpperCase(Locale.ROOT).replace('-', '_');
            return Arrays.stream(Alignment.values())
                    .filter(alignment -> alignment.name().equals(name))
                    .findFirst()
                    .orElseThrow(() ->
                            new TypeConversionException("\"" + text + "\" is no alignment, must be " + ALIGNMENTS));
        }
    }

    /** Reads {@code 127,0}. */
    static final class WindowConverter implements ITypeConverter<Window> {
        @Override
        public Window convert(String text) {
            String[] sides = text.split(",", -1);
            if (sides.length == 2) {
                try {
                    return new Window(Integer.parseInt(sides[0].strip()), Integer.parseInt(sides[1].strip()));
                } catch (NumberFormatException e) {
                    throw refused(text);
                }
            }
            throw refused(text);
        }

        private static TypeConversionException refused(String text) {
            return new TypeConversionException(
                    "\"" + text + "\" is no window, must be two whole numbers L,R such as 127,0 (-1 is unbounded)");
        }
    }

    /** Where packed sequences begin and end. */
    @SuppressWarnings("ArrayRecordComponent") // The words of an option; no caller compares two.
    record Cumulative(int[] queries, int[] keys) {}

    /** Slopes as given, or those of the paper. */
    @SuppressWarnings("ArrayRecordComponent") // As above.
    record Alibi(boolean geometric, float... slopes) {}

    /** A list of numbers. */
    @SuppressWarnings("ArrayRecordComponent") // As above.
    record Numbers(float... numbers) {}

    /** Reads {@code 0,3,7} or {@code 0,3,7:0,5,9}. */
    static final class CumulativeConverter implements ITypeConverter<Cumulative> {
        @Override
        public Cumulative convert(String text) {
            String[] sides = text.split(":", -1);
            if (sides.length <= 2) {
                try {
                    return new Cumulative(wholeNumbers(sides[0]), wholeNumbers(sides[sides.length - 1]));
                } catch (NumberFormatException e) {
                    throw refused(text);
                }
            }
            throw refused(text);
        }

        private static int[] wholeNumbers(String text) {
            return Arrays.stream(text.split(",", -1))
                    .mapToInt(number -> Integer.parseInt(number.strip()))
                    .toArray();
        }

        private static TypeConversionException refused(String text) {
            return new TypeConversionException("\"" + text + "\" are no cumulative lengths, must be whole numbers"
                    + " Q,Q,...:K,K,... such as 0,3,7:0,5,9, or one list for both");
        }
    }

    /** Reads {@code geometric} or {@code 0.5,0.25}. */
    static final class AlibiConverter implements ITypeConverter<Alibi> {
        private static final String GEOMETRIC = "geometric";

        @Override
        public Alibi convert(String text) {
            return text.equals(GEOMETRIC)
                    ? new Alibi(true)
                    : new Alibi(false, numbers(text, "slopes, must be " + GEOMETRIC + " or numbers such as 0.5,0.25"));
        }
    }

    /** Reads {@code 0.5,-inf}. */
    static final class SinksConverter implements ITypeConverter<Numbers> {
        @Override
        public Numbers convert(String text) {
            return new Numbers(numbers(text, "logits, must be numbers (or -inf) such as 0.5,-1.25"));
        }
    }

    private static float[] numbers(String text, String mustBe) {
        String[] parts = text.split(",", -1);
        float[] numbers = new float[parts.length];
        for (int n = 0; n < parts.length; n++) {
            String part = parts[n].strip();
            try {
                numbers[n] = part.equals("-inf") ? Float.NEGATIVE_INFINITY : Float.parseFloat(part);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("\"" + text + "\" are no " + mustBe);
            }
        }
        return numbers;
    }
}
