/**
 * Attention layers as Keras users know them: projections around an engine.
 *
 * <pre>{@code
 * try (AttentionEngine engine = AttentionEngine.open();
 *         MultiHeadAttention layer = MultiHeadAttention.builder().heads(4).keyDim(256).build(engine)) {
 *     Tensor output = layer.call(inputs, inputs, inputs); // query, value, key
 * }
 * }</pre>
 *
 * <p>The data goes one way: {@link dev.attention4j.layers.AttentionInputs} (query, value, key and masks, by name) are
 * projected into heads by a {@link dev.attention4j.Projector}, attended to by an {@link
 * dev.attention4j.AttentionEngine}, and the heads are projected together into a {@link
 * dev.attention4j.layers.LayerResult}. Weights come from a seed or from files: {@link
 * dev.attention4j.layers.LayerWeights}.
 */
package dev.attention4j.layers;
