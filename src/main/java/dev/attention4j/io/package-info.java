/**
 * Reads and writes files: tensors in the safetensors format, Keras's weights, pages for a browser.
 *
 * <p>{@link dev.attention4j.io.Safetensors} reads and writes, {@link dev.attention4j.io.SafetensorsFile} is the content of a
 * file, {@link dev.attention4j.io.KerasFile} reads Keras's files, {@link dev.attention4j.io.FileFormatException} says why a
 * file was refused. Files may be hostile: the readers check every number, and never allocate memory that a file merely
 * claims to need.
 */
package dev.attention4j.io;
