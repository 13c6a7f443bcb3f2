package dev.attention4j.conformance.suite;

import java.util.Objects;
import java.util.Optional;

/**
 * Which of the suite's cases are run.
 *
 * @param quick fewer random problems, and of the peers' grids the small problems
 * @param seed draws random problems and the part of each grid; the same seed selects the same cases
 * @param only the name of the one case to run; empty for all
 */
public record Selection(boolean quick, long seed, Optional<String> only) {
    /** The seed unless another is given. */
    public static final long DEFAULT_SEED = 1;

    /** Refuses null. */
    public Selection {
        Objects.requireNonNull(only, "only");
    }
}
