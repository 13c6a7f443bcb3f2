package dev.attention4j.bench;

import java.util.Collection;
import java.util.Locale;
import java.util.OptionalDouble;

/** The arithmetic of the figures. */
final class Figures {
    private Figures() {}

    /** Four digits: more would be noise. Null for what is no number. */
    static Double rounded(double number) {
        return Double.isFinite(number) ? Double.valueOf(String.format(Locale.ROOT, "%.4g", number)) : null;
    }

    /** The geometric mean of positive numbers; empty if there is none. */
    static OptionalDouble geometricMean(Collection<Double> numbers) {
        return numbers.isEmpty()
                ? OptionalDouble.empty()
                : OptionalDouble.of(
                        Math.exp(numbers.stream().mapToDouble(Math::log).sum() / numbers.size()));
    }

    /** The fastest peer's median among the measurements of one shape; empty if no peer was timed. */
    static OptionalDouble bestPeerMs(Collection<Measurement> ofOneShape) {
        return ofOneShape.stream()
                .filter(measurement -> measurement.peer() && measurement.isTimed())
                .mapToDouble(Measurement::medianMs)
                .min();
    }

    /** The speed relative to the best peer: its median ÷ this median. */
    static OptionalDouble ratioToBestPeer(Measurement measurement, Collection<Measurement> ofOneShape) {
        OptionalDouble best = bestPeerMs(ofOneShape);
        return measurement.isTimed() && best.isPresent()
                ? OptionalDouble.of(best.getAsDouble() / measurement.medianMs())
                : OptionalDouble.empty();
    }
}
