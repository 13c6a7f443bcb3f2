package dev.attention4j.conformance.suite;

import dev.attention4j.reference.Deviation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a case found on an engine.
 *
 * @param deviations of results that were measured
 * @param objections to anything else; none if all is right
 */
record Finding(List<Deviation> deviations, List<String> objections) {
    /** All that was asked is right; nothing was measured. */
    static final Finding RIGHT = new Finding(List.of(), List.of());

    Finding {
        deviations = List.copyOf(deviations);
        objections = List.copyOf(objections);
    }

    static Finding of(List<Deviation> deviations) {
        return new Finding(deviations, List.of());
    }

    static Finding objection(String objection) {
        return new Finding(List.of(), List.of(objection));
    }

    static Finding objection(Optional<String> objection) {
        return objection.map(Finding::objection).orElse(RIGHT);
    }

    Finding and(Finding other) {
        List<Deviation> all = new ArrayList<>(deviations);
        all.addAll(other.deviations);
        List<String> both = new ArrayList<>(objections);
        both.addAll(other.objections);
        return new Finding(all, both);
    }

    /** The one that is largest in units of the yardstick; a NaN is larger than any number. */
    Optional<Deviation> worst() {
        Deviation worst = null;
        for (Deviation deviation : deviations) {
            if (worst == null || !(deviation.units() <= worst.units())) {
                worst = deviation;
            }
        }
        return Optional.ofNullable(worst);
    }

    /** Everything that is wrong, in words; empty if nothing is. */
    String wrong() {
        List<String> wrong = new ArrayList<>(objections);
        for (Deviation deviation : deviations) {
            if (!deviation.isAllowed()) {
                wrong.add(deviation.toString());
            }
        }
        return String.join("; ", wrong);
    }
}
