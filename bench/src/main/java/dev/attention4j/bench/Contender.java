package dev.attention4j.bench;

import dev.attention4j.measure.Timing;
import java.util.Optional;

/**
 * Something that computes attention, a layer or a projection and can be timed beside others. Opened once, used for many
 * shapes.
 */
public interface Contender<W extends Workload> extends AutoCloseable {
    /** Its name in tables and files. */
    String name();

    /** The way in which it computes. */
    String plan();

    /** Returns whether it is what users would pick instead of attention4j; false for this project's own engines. */
    boolean isPeer();

    /**
     * The version of a peer and the libraries it was built with, as far as it says them; one line; empty for what was
     * built with this project.
     */
    default String builtWith() {
        return "";
    }

    /** Why it cannot compute a problem, if that is known beforehand; empty if it can, as far as is known. */
    Optional<String> refusal(W inputs);

    /** Returns whether this is how its engine would compute the problem if left to itself; true where there is no choice. */
    default boolean isOwnChoice(W inputs) {
        return true;
    }

    /**
     * Does all that is done once for many calls; not timed.
     *
     * @param inputs what to compute; stays as it is until the call is closed
     */
    Call prepare(W inputs);

    @Override
    void close();

    /** A prepared call. */
    interface Call extends AutoCloseable {
        /**
         * Computes once, from host memory into host memory; the result of the call before is given up. This is timed.
         */
        void run();

        /**
         * Computes until a time has passed, at least once.
         *
         * @param leastMs milliseconds that all calls together take at least
         */
        default double[] times(double leastMs) {
            return Timing.times(this::run, leastMs, System::nanoTime);
        }

        /** The way in which the last run computed, if it is not its contender's: gradients have plans of their own. */
        default Optional<String> plan() {
            return Optional.empty();
        }

        /**
         * The result of the last run.
         *
         * @return row-major: of attention [batch, queryHeads, queryLength, valueDim], of its gradients those of query, key and
         *     value one after another, of a layer [batch, length,
         *     width], of a projection [rows, outputs]
         */
        float[] output();

        @Override
        void close();
    }
}
