/** A small transformer that is trained on texts, by attention4j's layers and optimizer and plain Java around them. */
package dev.attention4j.bench.training;
