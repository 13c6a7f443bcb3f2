/**
 * The conformance suite: named cases for every promise of the library, run on each engine and plan in JVMs of their own,
 * so that a driver that crashes or hangs ends a case and not the suite; and its reports.
 */
package dev.attention4j.conformance.suite;
