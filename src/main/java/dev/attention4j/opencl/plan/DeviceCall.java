package dev.attention4j.opencl.plan;

import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.runtime.ClBuffer;
import java.util.function.LongFunction;

/**
 * One call on the device: the problem, its tensors there, and where to get memory in between.
 *
 * @param problem shapes and operation
 * @param tunables of the plan, that fit the problem
 * @param division of the work, as the plan gave it for the whole of which this may be a slice
 * @param query [batch, queryHeads, queryLength, headDim], last stride 1
 * @param key [batch, keyValueHeads, keyLength, headDim], last stride 1
 * @param value [batch, keyValueHeads, keyLength, valueDim], last stride 1
 * @param mask bytes, broadcast to the scores by strides; null for none
 * @param bias floats, broadcast to the scores by strides; null for none
 * @param keyRanges which keys each query may see, see {@link KeyRanges#table}; null where all batch rows are alike
 * @param alibiSlopes [queryHeads] or [sequences, queryHeads] floats; null for none
 * @param sinks [queryHeads] floats; null for none
 * @param output where the output goes, row-major
 * @param weights where the weights go, row-major float; null if not wanted
 * @param logSumExp where the log-sum-exp goes, row-major float; null if not wanted
 * @param maxScratchBytes the most that the caller lets the plan ask of scratch at a time; 0 to leave it to the plan
 * @param scratchRoom what of the device's memory is left for scratch
 * @param scratch gives memory of that many bytes for the length of the call
 */
public record DeviceCall(
        AttentionProblem problem,
        Tunables tunables,
        Division division,
        Operand query,
        Operand key,
        Operand value,
        Operand mask,
        Operand bias,
        ClBuffer keyRanges,
        ClBuffer alibiSlopes,
        ClBuffer sinks,
        ClBuffer output,
        ClBuffer weights,
        ClBuffer logSumExp,
        long maxScratchBytes,
        long scratchRoom,
        LongFunction<ClBuffer> scratch) {
    /**
     * The most that the plan may ask of scratch at a time.
     *
     * @param usual what the plan would take
     * @return that, or what the caller says, if there is room for it
     */
    public long scratchBudget(long usual) {
        return Math.min(scratchRoom, maxScratchBytes > 0 ? maxScratchBytes : usual);
    }

    /**
     * The same call with its keys and values elsewhere.
     *
     * @param otherKey the same elements
     * @param otherValue the same elements
     * @return all else unchanged
     */
    public DeviceCall with(Operand otherKey, Operand otherValue) {
        return new DeviceCall(
                problem,
                tunables,
                division,
                query,
                otherKey,
                otherValue,
                mask,
                bias,
                keyRanges,
                alibiSlopes,
                sinks,
                output,
                weights,
                logSumExp,
                maxScratchBytes,
                scratchRoom,
                scratch);
    }
}
