/**
 * The public API: tensors, the operation, the engine that runs it, and the errors.
 *
 * <pre>{@code
 * try (AttentionEngine engine = AttentionEngine.open()) {
 *     Tensor query = Tensor.of(queryFloats, 1, 8, 128, 64); // [batch, heads, length, headDim]
 *     Tensor key = Tensor.of(keyFloats, 1, 8, 128, 64);
 *     Tensor value = Tensor.of(valueFloats, 1, 8, 128, 64);
 *     float[] output = engine.attend(query, key, value).output().toFloatArray();
 * }
 * }</pre>
 *
 * <p>The data goes one way: query, key and value {@link dev.attention4j.Tensor}s and an {@link
 * dev.attention4j.Attention} (what) go into an {@link dev.attention4j.AttentionEngine} (where), which picks a plan
 * (how) and gives an {@link dev.attention4j.AttentionResult}.
 */
package dev.attention4j;
