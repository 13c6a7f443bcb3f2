package dev.attention4j.opencl.tuning;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.Workload;
import java.util.List;

/**
 * A class of problems that are fast with the same tunables: classes of attention, and one of all projections.
 *
 * @param dtype the storage type of keys, of which a call reads most
 * @param width the wider of head dim and value dim: {@code 1-32}, {@code 33-64}, {@code 65-128}, {@code 129-256} or
 *     {@code 257-}; {@code any} for projections
 * @param length by the queries of a head: {@code decode} (up to 16), {@code short} (up to 512) or {@code long};
 *     {@code projection} for projections
 * @param causal true if later keys are masked, so that query blocks differ in work
 */
public record ProblemClass(DType dtype, String width, String length, boolean causal) {
    private static final int[] WIDTH_ENDS = {32, 64, 128, 256};
    private static final int[] LENGTH_ENDS = {16, 512};
    private static final List<String> WIDTHS = List.of("1-32", "33-64", "65-128", "129-256", "257-");
    private static final List<String> LENGTHS = List.of("decode", "short", "long");

    private static final String ANY_WIDTH = "any";
    private static final String PROJECTION = "projection";

    /** All projections: an engine packs weights for one set of tunables, whatever their later use. */
    public static final ProblemClass PROJECTIONS = new ProblemClass(DType.FLOAT32, ANY_WIDTH, PROJECTION, false);

    /** Refuses classes that do not exist. */
    public ProblemClass {
        dtype.checkKeyValueStorage("dtype");
        boolean projections = length.equals(PROJECTION);
        if (!(projections ? width.equals(ANY_WIDTH) : WIDTHS.contains(width))) {
            throw new IllegalArgumentException(
                    "width: \"" + width + "\", must be one of " + WIDTHS + ", or " + ANY_WIDTH + " for projections");
        }
        if (!projections && !LENGTHS.contains(length)) {
            throw new IllegalArgumentException(
                    "length: \"" + length + "\", must be one of " + LENGTHS + ", or " + PROJECTION);
        }
        if (projections && (dtype != DType.FLOAT32 || causal)) {
            throw new IllegalArgumentException("projections: " + dtype + (causal ? ", causal" : "")
                    + ", must be FLOAT32 and not causal: there is one class of them");
        }
    }

    /** Returns the class of a problem. */
    public static ProblemClass of(Workload problem) {
        return new ProblemClass(
                problem.storage().key(),
                WIDTHS.get(index(WIDTH_ENDS, Math.max(problem.headDim(), problem.valueDim()))),
                LENGTHS.get(index(LENGTH_ENDS, problem.queryLength())),
                problem.causal());
    }

    private static int index(int[] ends, int size) {
        int index = 0;
        while (index < ends.length && size > ends[index]) {
            index++;
        }
        return index;
    }

    @Override
    public String toString() {
        if (length.equals(PROJECTION)) {
            return "projections";
        }
        return StorageName.of(dtype) + ", widths " + width + ", " + length + (causal ? ", causal" : "");
    }
}
