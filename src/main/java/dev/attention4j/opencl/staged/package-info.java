/**
 * The staged plan: four kernels one after another, the textbook's steps. The only plan that can return weights; its memory
 * grows with queryLength × keyLength, so it walks blocks of heads and queries that fit.
 */
package dev.attention4j.opencl.staged;
