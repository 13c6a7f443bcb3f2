/**
 * Runs cases on engines and reports.
 *
 * <p>A {@link dev.attention4j.conformance.ConformanceCase} is a file with inputs, the outputs that must come out, and
 * how the call was made. {@link dev.attention4j.conformance.ConformanceSuite} runs many on many engines, {@link
 * dev.attention4j.conformance.ConformanceRunner} one on one; what an {@code op} means is a line in the table of {@code
 * Operation}. Files and the built-in suite report alike, by one {@link dev.attention4j.conformance.Outcome} a case.
 */
package dev.attention4j.conformance;
