package dev.attention4j.conformance;

import dev.attention4j.DType;

/** The largest distance of an element from what is wanted: |got − want| ≤ absolute + relative · |want|. */
public record Tolerance(double absolute, double relative) {
    private static final Tolerance FLOAT = new Tolerance(1e-5, 1e-4);
    /** Two right results may round to neighbours, which are 2⁻¹⁰ of their size apart at most. */
    private static final Tolerance HALF = new Tolerance(1e-3, 1e-3);
    /** As above, with neighbours 2⁻⁷ apart at most. */
    private static final Tolerance BFLOAT = new Tolerance(1e-2, 1e-2);

    /** Refuses negative numbers and NaN. */
    public Tolerance {
        if (!(absolute >= 0 && relative >= 0)) {
            throw new IllegalArgumentException(
                    "tolerance: absolute " + absolute + ", relative " + relative + ", each must be 0 or more");
        }
    }

    /**
     * The tolerance of the operation {@code attention}.
     *
     * @return 1e-5 + 1e-4·|want| for float32, 1e-3 + 1e-3·|want| for float16, 1e-2 + 1e-2·|want| for bfloat16
     */
    public static Tolerance of(DType storage) {
        return switch (storage) {
            case FLOAT16 -> HALF;
            case BFLOAT16 -> BFLOAT;
            default -> FLOAT;
        };
    }

    /** Returns true if one element is near enough. NaN and ±∞ pass only where the very same is wanted. */
    public boolean allows(double got, double want) {
        if (!Double.isFinite(got) || !Double.isFinite(want)) {
            return Double.compare(got, want) == 0;
        }
        return Math.abs(got - want) <= limit(want);
    }

    double limit(double want) {
        return absolute + relative * Math.abs(want);
    }
}
