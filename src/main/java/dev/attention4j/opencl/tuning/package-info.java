/**
 * The plans and tunables that were measured to be fast on a device: entries that ship with the library, and the user's own,
 * which replace them. They say which plan and tunables to try first; the plan decides whether they can be used.
 */
package dev.attention4j.opencl.tuning;
