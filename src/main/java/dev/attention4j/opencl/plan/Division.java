package dev.attention4j.opencl.plan;

/**
 * How a plan divides a call's work as far as the bits of its results depend on it. Follows from the whole call's shapes,
 * the device and the engine's options, never from free memory, and holds for each slice of the call: so the same call
 * gives the same bits, however much memory other tensors take meanwhile.
 *
 * @param splits parts that the keys are split into
 * @param groupHeads heads whose query rows lie one behind the other, to be divided into groups: 1, or all that share a
 *     key/value head
 * @param groupRows query rows that are computed together, from the first of those heads' rows on: the rows of a group
 *     share the blocks of keys
 */
public record Division(int splits, int groupHeads, int groupRows) {
    /** Each head by itself, with its keys unsplit. */
    public static Division ofHeads(int groupRows) {
        return new Division(1, 1, groupRows);
    }

    /**
     * Returns the queries of which a slice of one head must have a multiple, or all, for its groups to be those of the
     * whole.
     *
     * @param queryLength of the whole
     * @return at least 1; 0 where heads that are computed together must not be cut apart
     */
    public int sliceQueries(int queryLength) {
        return groupHeads == 1 || queryLength % groupRows == 0 ? groupRows : 0;
    }
}
