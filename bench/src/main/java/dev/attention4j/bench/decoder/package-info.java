/** A small decoder-only language model, as Llama's are built, on an engine with a cache. */
package dev.attention4j.bench.decoder;
