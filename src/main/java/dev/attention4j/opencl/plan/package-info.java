/**
 * What a plan is: the way in which kernels compute a problem, and what it is given. The plans themselves are in
 * packages beside this one, each named as its folder under {@code opencl/}.
 */
package dev.attention4j.opencl.plan;
