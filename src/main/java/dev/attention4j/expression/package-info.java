/**
 * Score and mask expressions: the language, its evaluation in Java and its text in OpenCL C. Not part of the API; callers see
 * {@link dev.attention4j.ScoreExpression} and {@link dev.attention4j.ScoreParameters}.
 *
 * <p>Read in the order of a text's way: {@code Parser} makes a tree of it ({@code Token}, {@code Syntax}), {@code Checker} a
 * graph of typed nodes of the tree ({@code Graph}, {@code Node}), {@code Formula} joins the graph to its {@link
 * dev.attention4j.expression.Parameter}s, and {@link dev.attention4j.expression.Expressions} holds the formulas of an operation.
 * {@code Arithmetic} defines the value of each {@code Op}. The graph has four readers: {@link
 * dev.attention4j.expression.DoubleEvaluator} for the oracle, {@link dev.attention4j.expression.FloatEvaluator} for the engine
 * {@code cpu}, {@code OpenClText} for devices (with {@code Ranges}, the bounds of ints), and {@code Derivative}.
 *
 * <p>{@link dev.attention4j.expression.Dropout} is here because it counts in the same places.
 *
 * <h2>What kernels get</h2>
 *
 * <p>{@code Attention.expressions()} returns the {@code Expressions} of an operation. {@link
 * dev.attention4j.expression.Expressions#openClText} prints, for vectors of a width, and with the arguments that are vectors
 * of it:
 *
 * <pre>
 * SCORE score_expression(SCORE score, int batch, int head, int keyValueHead, int query, int key, int position,
 *                        __global const int *numbers)
 * MASK mask_expression(int batch, int head, int keyValueHead, int query, int key, int position,
 *                      __global const int *numbers)
 * </pre>
 *
 * <p>Each argument but {@code numbers} is a vector where the caller says so. If any is, results are vectors: MASK is then an
 * int vector of −1 (attends) and 0, and else an int, 1 or 0. The text needs {@code common/multiply_add.clh} before it. It
 * depends on the {@link dev.attention4j.expression.Expressions#signature} alone, never on values or shapes.
 *
 * <p>{@link dev.attention4j.expression.Expressions#numbers} returns the words that {@code numbers} points to: the lengths
 * and the origin of a part of a call ({@link dev.attention4j.expression.Origin}; batch, heads and query are counted in the part
 * and the function adds the origin), with dropout its seed, threshold and factor, the named numbers, and all tables. Indices are clamped to tables, so rows that pad a tile
 * do no harm. A score expression has any value at a masked pair: mask after it.
 */
package dev.attention4j.expression;
