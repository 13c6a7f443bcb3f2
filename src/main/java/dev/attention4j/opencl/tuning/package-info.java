/**
 * What was measured to be fast on which device: the entries that ship with the library and, over them, the user's own.
 * They say which plan and tunables to try first; whether those can be used is for the plan to say.
 */
package dev.attention4j.opencl.tuning;
