/**
 * Problems that engines are held to by the oracle: random ones, and the grids on which peers test their attention. Each
 * is drawn again, the same, from its name or seed.
 */
package dev.attention4j.conformance.problems;
