/**
 * The ONNX standard's operator Attention (opsets 23 to 25) on any engine of this library.
 *
 * <p>{@link dev.attention4j.onnx.OnnxAttention} is a node's attributes, {@link
 * dev.attention4j.onnx.OnnxAttentionInputs} its inputs and {@link dev.attention4j.onnx.OnnxAttentionResult} its outputs.
 * The package translates the hidden axis to heads, the cache and the new keys to one tensor, masks and lengths to options
 * of {@link dev.attention4j.Attention}. It computes nothing itself except the scores that a graph may ask for.
 */
package dev.attention4j.onnx;
