/**
 * Cases that engines must get right. A {@link dev.attention4j.conformance.ConformanceCase} is drawn (package {@code suite}) or
 * read from a {@link dev.attention4j.conformance.CaseFile}; both give an engine a check, and a check gives a {@link
 * dev.attention4j.conformance.Finding}.
 */
package dev.attention4j.conformance;
