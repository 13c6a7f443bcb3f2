package dev.attention4j.opencl.fused;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.KeyRanges;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import java.util.Optional;

/** What all fused forward kernels have in common: the parameters of {@code opencl/fused/forward_call.clh}. */
final class ForwardCall {
    // The bits of features, as forward_call.clh has them.
    private static final int HAS_SOFTCAP = 1;
    private static final int HAS_MASK = 2;
    private static final int HAS_BIAS = 4;
    private static final int HAS_LOG_SUM_EXP = 8;
    private static final int HAS_KEY_RANGES = 16;
    private static final int HAS_ALIBI = 32;
    private static final int HAS_SINKS = 64;

    private ForwardCall() {}

    /** What none of the kernels can do, whatever the shapes. */
    static Optional<String> refusal(AttentionProblem problem) {
        return problem.attention().wantsWeights()
                ? Optional.of("it never holds the weights; the plan staged returns them")
                : Optional.empty();
    }

    /**
     * Sets FORWARD_PARAMETERS.
     *
     * @param kernel whose first parameters they are
     * @param call what to compute
     * @param unitHeads heads whose rows are computed together; a divisor of the heads that share a key/value head
     * @return after these parameters
     */
    static ClKernel.Arguments set(ClKernel kernel, DeviceCall call, int unitHeads) {
        AttentionProblem problem = call.problem();
        Attention attention = problem.attention();
        ClBuffer unused = call.output();
        ClKernel.Arguments arguments = kernel.arguments();
        call.query().asRows(arguments);
        call.key().asRows(arguments);
        call.value().asRows(arguments);
        arguments
                .buffer(call.output())
                .buffer(call.logSumExp() == null ? unused : call.logSumExp())
                .integer(features(call))
                .integer(problem.queryHeads())
                .integer(problem.queryHeads() / problem.keyValueHeads())
                .integer(unitHeads)
                .integer(problem.queryLength())
                .integer(problem.keyLength())
                .integer(problem.headDim())
                .integer(problem.valueDim())
                .real((float) problem.scale())
                .real((float) attention.softcap().orElse(0));
        KeyRanges.set(arguments, call, unused);
        KeyRanges.setAlibi(arguments, call, unused);
        arguments.buffer(call.sinks() == null ? unused : call.sinks());
        Operand none = new Operand(unused, 0, new long[4]);
        (call.mask() == null ? none : call.mask()).asElements(arguments);
        (call.bias() == null ? none : call.bias()).asElements(arguments);
        return arguments;
    }

    private static int features(DeviceCall call) {
        return (call.problem().attention().softcap().isPresent() ? HAS_SOFTCAP : 0)
                | (call.mask() != null ? HAS_MASK : 0)
                | (call.bias() != null ? HAS_BIAS : 0)
                | (call.logSumExp() != null ? HAS_LOG_SUM_EXP : 0)
                | (call.keyRanges() != null ? HAS_KEY_RANGES : 0)
                | (call.alibiSlopes() != null ? HAS_ALIBI : 0)
                | (call.sinks() != null ? HAS_SINKS : 0);
    }
}
