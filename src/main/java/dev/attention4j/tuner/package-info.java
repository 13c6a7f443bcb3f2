/**
 * Finds the plan and tunables that are fastest on a device: checks each against the oracle, then times those that are
 * right.
 */
package dev.attention4j.tuner;
