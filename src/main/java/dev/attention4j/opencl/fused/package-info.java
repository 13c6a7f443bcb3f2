/**
 * The fused plans: one pass over keys and values with an online softmax, so that no matrix of scores lies in memory.
 */
package dev.attention4j.opencl.fused;
