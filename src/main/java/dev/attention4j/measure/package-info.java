/**
 * The common part of measuring, for the tuner, the conformance suite, the command line and the benchmarks: shapes as they
 * are written on a command line, inputs, an oracle on samples of a result, and timing by turns.
 */
package dev.attention4j.measure;
