package dev.attention4j.onnx;

import dev.attention4j.AttentionEngine;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A node of the ONNX standard's operator RotaryEmbedding, opset 23 (<a
 * href="https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html">the operator</a>): its attributes, and a way to run it.
 * Products and sums are float32 whatever the input's type.
 *
 * <pre>{@code
 * Tensor output = new OnnxRotaryEmbedding(false, 8, 0).run(engine, input, cosCache, sinCache, positionIds);
 * }</pre>
 *
 * @param interleaved true if the elements of a pair are neighbours; false by default
 * @param numHeads {@code num_heads}: the heads within the hidden axis of an input of 3 axes; 0, the default, where there are 4
 * @param rotaryEmbeddingDim {@code rotary_embedding_dim}: how many elements of a head turn; 0, the default, for all
 */
public record OnnxRotaryEmbedding(boolean interleaved, int numHeads, int rotaryEmbeddingDim) {
    /** The standard's defaults. */
    public static final OnnxRotaryEmbedding DEFAULT = new OnnxRotaryEmbedding(false, 0, 0);

    /**
     * Checks the attributes.
     *
     * @throws IllegalArgumentException if one is negative, or an odd number of elements is to turn
     */
    public OnnxRotaryEmbedding {
        TensorChecks.atLeast("numHeads", numHeads, 0);
        TensorChecks.atLeast("rotaryEmbeddingDim", rotaryEmbeddingDim, 0);
        if (rotaryEmbeddingDim % 2 != 0) {
            throw new IllegalArgumentException("rotaryEmbeddingDim: " + rotaryEmbeddingDim + ", must be even");
        }
    }

    /**
     * Runs the node with angles for each position of each batch row.
     *
     * @param engine where to compute
     * @param input X: [batch, heads, length, headDim] or [batch, length, heads · headDim]
     * @param cosCache [batch, length, turned elements / 2]
     * @param sinCache likewise
     * @return Y, of the input's shape and type, where the input is
     * @throws IllegalArgumentException if attributes and inputs do not fit each other; says which argument and what it must be
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public Tensor run(AttentionEngine engine, Tensor input, Tensor cosCache, Tensor sinCache) {
        Heads heads = heads(input);
        int rows = heads.batch * heads.length;
        Tensor cosines = table("cosCache", cosCache, heads.batch, heads.length);
        Tensor sines = table("sinCache", sinCache, heads.batch, heads.length);
        return turn(engine, heads, cosines, sines, IntStream.range(0, rows).toArray());
    }

    /**
     * Runs the node with angles that are looked up by position.
     *
     * @param engine where to compute
     * @param input X: [batch, heads, length, headDim] or [batch, length, heads · headDim]
     * @param cosCache [positions, turned elements / 2]
     * @param sinCache likewise
     * @param positionIds INT64 [batch, length], from 0
     * @return Y, of the input's shape and type, where the input is
     * @throws IllegalArgumentException if attributes and inputs do not fit each other; says which argument and what it must be
     * @throws IllegalStateException if the engine or an input is closed
     * @throws dev.attention4j.DeviceException if the device fails
     */
    public Tensor run(AttentionEngine engine, Tensor input, Tensor cosCache, Tensor sinCache, Tensor positionIds) {
        Heads heads = heads(input);
        Tensor cosines = table("cosCache", cosCache);
        Tensor sines = table("sinCache", sinCache);
        int[] positions = Integers.of("positionIds", positionIds, cosines.size(0) - 1, heads.batch, heads.length);
        return turn(engine, heads, cosines, sines, positions);
    }

    /**
     * An input.
     *
     * @param input as given
     * @param tensor [batch, heads, length, headDim], or [batch · length, 1, heads, headDim] of an input of 3 axes
     */
    private record Heads(Tensor input, Tensor tensor, int batch, int length) {
        int rowsEach() {
            return input.rank() == 4 ? 1 : (int) tensor.size(2);
        }
    }

    private Heads heads(Tensor input) {
        Tensor heads = OnnxAttention.toHeads("input", input, "numHeads", numHeads);
        int batch = (int) heads.size(0);
        int length = (int) heads.size(2);
        if (input.rank() == 3) {
            // Each position's heads are rows, so that the result has the input's order.
            Tensor whole = input.isContiguous() ? input : input.contiguous();
            heads = whole.reshape((long) batch * length, 1, numHeads, heads.size(3));
        }
        return new Heads(input, heads, batch, length);
    }

    private Tensor turn(AttentionEngine engine, Heads heads, Tensor cosines, Tensor sines, int... positions) {
        long width = rotaryEmbeddingDim == 0 ? heads.tensor.size(3) : rotaryEmbeddingDim;
        if (2 * cosines.size(1) != width) {
            throw new IllegalArgumentException("cosCache: last axis " + cosines.size(1) + ", must be half of the "
                    + width + " elements of a head that turn");
        }
        RotaryEmbedding rotary = RotaryEmbedding.of(cosines, sines, interleaved);
        int each = heads.rowsEach();
        int[] ofRows = IntStream.range(0, positions.length * each)
                .map(n -> positions[n / each])
                .toArray();
        return engine.rotate(heads.tensor, rotary, ofRows).reshape(heads.input.shape());
    }

    /** Returns a table [rows, pairs] of one whose axes before the last are these, or any one. */
    private static Tensor table(String name, Tensor cache, int... axes) {
        TensorChecks.open(name, cache);
        TensorChecks.storage(name, cache);
        long[] shape = cache.shape();
        long[] mustBe = new long[Math.max(1, axes.length) + 1];
        boolean fits = shape.length == mustBe.length;
        for (int axis = 0; fits && axis < axes.length; axis++) {
            fits = shape[axis] == axes[axis];
        }
        if (!fits) {
            throw new IllegalArgumentException(name + ": shape " + Arrays.toString(shape) + ", must be "
                    + (axes.length == 0
                            ? "[positions, pairs] with position ids"
                            : "[" + axes[0] + ", " + axes[1] + ", pairs] without position ids"));
        }
        if (axes.length == 0) {
            return cache;
        }
        Tensor whole = cache.isContiguous() ? cache : cache.contiguous();
        return whole.reshape((long) axes[0] * axes[1], shape[2]);
    }
}
