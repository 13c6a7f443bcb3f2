/**
 * Files in and out: tensors in the safetensors format, weights in Keras's, pages for a browser.
 *
 * <p>{@link dev.attention4j.io.Safetensors} reads and writes, {@link dev.attention4j.io.SafetensorsFile} is what was
 * read, {@link dev.attention4j.io.KerasFile} reads what Keras saved, {@link dev.attention4j.io.FileFormatException}
 * says why a file was refused. A file may come from anybody: the readers check every number in it and never allocate
 * what a file merely claims.
 */
package dev.attention4j.io;
