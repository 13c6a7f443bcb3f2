/**
 * Files in and out: tensors in the safetensors format.
 *
 * <p>{@link dev.attention4j.io.Safetensors} reads and writes, {@link dev.attention4j.io.SafetensorsFile} is what was
 * read, {@link dev.attention4j.io.FileFormatException} says why a file was refused. A file may come from anybody: the
 * reader checks every number in it and never allocates what a file merely claims.
 */
package dev.attention4j.io;
