/** Libraries that users would pick instead of attention4j, each as a {@link dev.attention4j.bench.Contender}. */
package dev.attention4j.bench.peer;
