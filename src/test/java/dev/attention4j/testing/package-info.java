/**
 * Helpers that tests share: engines under test, plain oracles, checks by the yardstick, faults, and programs for a JVM of their own.
 *
 * <p>A helper that needs the package-private part of a package lies in that package.
 */
package dev.attention4j.testing;
