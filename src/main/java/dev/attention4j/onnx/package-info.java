/**
 * The ONNX standard's operator Attention (opsets 23 to 25) on any engine of this library.
 *
 * <p>{@link dev.attention4j.onnx.OnnxAttention} is a node's attributes, {@link
 * dev.attention4j.onnx.OnnxAttentionInputs} what goes into it and {@link dev.attention4j.onnx.OnnxAttentionResult} what
 * comes out. The package translates: heads out of the hidden axis, the cache in front of the new keys, masks and
 * lengths into options of {@link dev.attention4j.Attention}; it computes nothing itself but the scores that a graph may
 * ask for.
 */
package dev.attention4j.onnx;
