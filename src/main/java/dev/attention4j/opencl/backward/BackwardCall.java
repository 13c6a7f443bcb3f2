package dev.attention4j.opencl.backward;

import dev.attention4j.DType;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Operand;
import dev.attention4j.opencl.runtime.ClBuffer;

/**
 * A call for gradients on the device.
 *
 * @param forward the call whose gradients these are; its output and log-sum-exp are not read
 * @param output of that call, [batch, queryHeads, queryLength, valueDim] in the query's type, last stride 1
 * @param outputGradient likewise, of its own type
 * @param logSumExp [batch, queryHeads, queryLength, 1] floats
 * @param logSumExpGradient likewise; null for none
 * @param queryGradient row-major floats, as are the others
 * @param bias null if not wanted, as are the others after it
 * @param slopes as many as the operation has
 */
public record BackwardCall(
        DeviceCall forward,
        Operand output,
        Operand outputGradient,
        DType gradientType,
        Operand logSumExp,
        Operand logSumExpGradient,
        ClBuffer queryGradient,
        ClBuffer keyGradient,
        ClBuffer valueGradient,
        ClBuffer bias,
        ClBuffer sinks,
        ClBuffer slopes) {}
