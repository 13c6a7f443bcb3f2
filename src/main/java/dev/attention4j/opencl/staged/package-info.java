/**
 * The staged plan: four kernels one after another, the textbook's steps. The only plan that can return weights; its
 * memory grows with queryLength × keyLength, so it walks blocks of (batch, head) slices and queries that fit.
 *
 * <p>{@link dev.attention4j.opencl.staged.StagedPlan} walks them; {@code Scores}, {@code ScaleMask}, {@code Softmax}
 * and {@code WeightedSum} launch the kernels of their names in {@code opencl/staged/}.
 */
package dev.attention4j.opencl.staged;
