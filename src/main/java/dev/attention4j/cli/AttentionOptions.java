package dev.attention4j.cli;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import java.util.Arrays;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options of {@link Attention} but for mask and bias, which come from the file. */
final class AttentionOptions {
    private static final String ALIGNMENTS = "top-left or bottom-right";

    @Option(
            names = "--scale",
            paramLabel = "S",
            description = "What query . key is multiplied with." + " Default: 1 / sqrt(head dim).")
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
            description = "Masks keys beyond each query's position; ALIGN says which key a query stands at:"
                    + " top-left (query 0 at key 0) or bottom-right (last query at last key).")
    private Alignment causal;

    @Option(
            names = "--offsets",
            paramLabel = "N",
            split = ",",
            description = "Causal with query i at key i + N; one N, or one for each batch row: 3,0,-2.")
    private int[] offsets;

    @Option(
            names = "--window",
            paramLabel = "L,R",
            converter = WindowConverter.class,
            description = "Sees L keys before and R beyond each query's position; -1 is all.")
    private Window window;

    @Option(
            names = "--align",
            paramLabel = "ALIGN",
            converter = AlignmentConverter.class,
            description = "Where queries stand for a --window that is not causal. Default: top-left.")
    private Alignment align;

    @Option(names = "--weights", description = "Also computes the weights: who attends to whom.")
    private boolean weights;

    @Option(names = "--lse", description = "Also computes the log-sum-exp of each row's scores.")
    private boolean logSumExp;

    /**
     * The operation as asked for.
     *
     * @throws IllegalArgumentException naming the option that does not fit
     */
    AttentionBuilder builder() {
        AttentionBuilder builder = Attention.builder().weights(weights).logSumExp(logSumExp);
        if (causal != null && offsets != null) {
            throw new IllegalArgumentException(
                    "--offsets: given with --causal, must be given alone: it is causal itself");
        }
        if (align != null && (window == null || causal != null || offsets != null)) {
            throw new IllegalArgumentException(
                    "--align: must be given with --window and without --causal and --offsets,"
                            + " which say where queries stand themselves");
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
        return builder;
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
}
