/**
 * The oracle: attention in double precision by plain loops, which every kernel is checked against.
 *
 * <p>{@link dev.attention4j.reference.SelfAttention} is the textbook's loop, {@link
 * dev.attention4j.reference.ReferenceAttention} the whole operation with every option, and {@link
 * dev.attention4j.reference.PlainFloatAttention} the same loops in float, whose error against the oracle says how large
 * an error is to be expected of float arithmetic. {@link dev.attention4j.reference.Yardstick} holds an engine's results
 * to both, and gives a {@link dev.attention4j.reference.Deviation} for each. Nothing here is clever, on purpose.
 */
package dev.attention4j.reference;
