package dev.attention4j.opencl.plan;

import java.util.Optional;

/** A way to compute attention. */
public interface AttentionPlan extends Plan<Workload, DeviceCall> {
    /**
     * How a plan divides a call's work as far as the bits of its results depend on it. Follows from the whole call's shapes,
     * the device and the engine's options, never from free memory, and holds for each slice of the call: so the same call
     * gives the same bits, however much memory other tensors take meanwhile.
     *
     * @param splits parts that the keys are split into
     * @param splitKeys keys of a split, which begins at a multiple of them; 0 to share the keys of each group evenly
     * @param groupHeads heads whose query rows are consecutive and divided into groups: 1, or all that share a key/value head
     * @param groupRows query rows that are computed together, from the first of those heads' rows on: the rows of a group
     *     share the blocks of keys
     */
    record Division(int splits, int splitKeys, int groupHeads, int groupRows) {
        /** Divides each head by itself, with its keys unsplit. */
        public static Division ofHeads(int groupRows) {
            return new Division(1, 0, 1, groupRows);
        }

        /**
         * Returns the queries of which a slice of one head must have a multiple, or all, for its groups to be those of the
         * whole; 0 where heads that are computed together must not be cut apart.
         */
        public int sliceQueries(int queryLength) {
            return groupHeads == 1 || queryLength % groupRows == 0 ? groupRows : 0;
        }
    }

    /** Returns why a plan that never holds the weights cannot compute a problem; empty if it does not want them. */
    static Optional<String> withoutWeights(Workload problem) {
        return problem.wantsWeights()
                ? Optional.of("it never holds the weights; the plan staged returns them")
                : Optional.empty();
    }

    /**
     * Returns how this plan divides a whole call's work, with as much scratch as the engine's options allow; 0 leaves
     * that to the plan.
     */
    Division division(Workload problem, Tunables tunables, long maxScratchBytes);

    /** Returns the bytes of scratch at a time without which it cannot compute a problem, or a slice of one. */
    default long leastScratchBytes(Workload problem, Division division) {
        return 0;
    }
}
