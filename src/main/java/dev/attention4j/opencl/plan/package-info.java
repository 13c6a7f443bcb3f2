/**
 * Plans: ways in which kernels compute a problem, and what they are given. Each plan is in a package named as its
 * kernels' folder under {@code opencl/}.
 */
package dev.attention4j.opencl.plan;
