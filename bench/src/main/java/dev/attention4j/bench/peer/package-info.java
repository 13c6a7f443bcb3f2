/** What users would pick instead of attention4j, each behind {@link dev.attention4j.bench.Contender}. */
package dev.attention4j.bench.peer;
