/**
 * The staged plan: four kernels one after another, the textbook's steps. The only plan that can return weights; its
 * memory grows with queryLength × keyLength, so it walks blocks of (batch, head) slices and queries that fit.
 */
package dev.attention4j.opencl.staged;
