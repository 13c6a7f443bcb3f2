package dev.attention4j.cli;

import dev.attention4j.Alignment;
import java.util.Arrays;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Values of {@link AttentionOptions} that are more than one number, and what reads them. */
final class OptionValues {
    private static final String ALIGNMENTS = "top-left or bottom-right";

    private OptionValues() {}

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
    @SuppressWarnings("ArrayRecordComponent") // An option's text, split; nobody compares two.
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
