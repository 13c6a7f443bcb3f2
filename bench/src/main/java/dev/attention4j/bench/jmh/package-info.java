/** JMH benchmarks; what they compute is checked against the oracle before it is timed. */
package dev.attention4j.bench.jmh;
