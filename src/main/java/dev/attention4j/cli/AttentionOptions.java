package dev.attention4j.cli;

import dev.attention4j.AlibiSlopes;
import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.Tensor;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine.Option;

/** The options of {@link Attention} but for mask and bias, which come from the file. */
final class AttentionOptions {
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
            converter = OptionValues.AlignmentConverter.class,
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
            converter = OptionValues.WindowConverter.class,
            description = "Attends to L keys before and R after each query's position; -1 is all.")
    private OptionValues.Window window;

    @Option(
            names = "--align",
            paramLabel = "ALIGN",
            converter = OptionValues.AlignmentConverter.class,
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
            converter = OptionValues.CumulativeConverter.class,
            description =
                    "Sequences of unequal length are packed into one batch row: the start of each and, at the end,"
                            + " the end of the last, for queries and for keys (if they differ): 0,3,7:0,5,9.")
    private OptionValues.Cumulative cumulative;

    @Option(
            names = "--alibi",
            paramLabel = "SLOPES",
            converter = OptionValues.AlibiConverter.class,
            description = "Adds -slope |position - key| to scores: 'geometric' for the slopes of the paper, or one for"
                    + " each query head: 0.5,0.25.")
    private OptionValues.Alibi alibi;

    @Option(
            names = "--sinks",
            paramLabel = "LOGITS",
            converter = OptionValues.SinksConverter.class,
            description = "A logit for each query head that joins its softmax's denominator; -inf for a head without.")
    private OptionValues.Numbers sinks;

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
}
