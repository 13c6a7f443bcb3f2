/**
 * Runs cases on engines and reports.
 *
 * <p>A {@link dev.attention4j.conformance.ConformanceCase} is a file with inputs, the outputs that must come out, and
 * how the call was made. {@link dev.attention4j.conformance.ConformanceSuite} runs many on many engines, {@link
 * dev.attention4j.conformance.ConformanceRunner} one on one. {@link dev.attention4j.conformance.BuiltInCases} come with
 * the library. What an {@code op} means is known by one {@link dev.attention4j.conformance.Operation} for each.
 */
package dev.attention4j.conformance;
