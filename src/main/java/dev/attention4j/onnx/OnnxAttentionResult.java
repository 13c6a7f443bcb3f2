package dev.attention4j.onnx;

import dev.attention4j.Tensor;
import java.util.Optional;

/**
 * The operator's outputs.
 *
 * <p>Closing it frees the output and the scores, but not the presents: without a past these are the caller's own key and
 * value, and with one they are in host memory, which the garbage collector frees.
 *
 * @param output Y, in the query's type: [batch, queryHeads, queryLength, valueDim], where the query was (on the host where
 *     its type is not the value's), or [batch, queryLength, queryHeads · valueDim] on the host for inputs of 3 axes
 * @param presentKey past and new keys [batch, keyValueHeads, totalLength, headDim], in the key's type; without a past a view
 *     of the key as it was given, which may not be contiguous and changes with it ({@link Tensor#contiguous} copies)
 * @param presentValue past and new values [batch, keyValueHeads, totalLength, valueDim], in the value's type; a view as
 *     presentKey is
 * @param qkMatmulOutput the scores [batch, queryHeads, queryLength, totalLength] in the query's type, if asked for; those of
 *     modes 0 to 2 on the host, those of mode 3 where the query was
 * @param plan the plan of the engine that computed the output
 */
public record OnnxAttentionResult(
        Tensor output, Tensor presentKey, Tensor presentValue, Optional<Tensor> qkMatmulOutput, String plan)
        implements AutoCloseable {
    @Override
    public void close() {
        output.close();
        qkMatmulOutput.ifPresent(Tensor::close);
    }
}
