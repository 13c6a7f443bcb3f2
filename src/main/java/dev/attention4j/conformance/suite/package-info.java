/** The built-in cases, the runner of all cases in child JVMs, and its reports. */
package dev.attention4j.conformance.suite;
