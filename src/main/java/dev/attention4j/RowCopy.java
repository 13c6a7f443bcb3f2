package dev.attention4j;

/**
 * Consecutive rows that {@link AttentionEngine#scatter} copies: row fromRow + n of source[fromBatch, head] becomes row toRow +
 * n of target[toBatch, head], for each head and each n below count.
 *
 * @param fromBatch a batch row of the sources, from 0
 * @param fromRow the first row that is read, from 0
 * @param toBatch a batch row of the targets, from 0
 * @param toRow the first row that is written, from 0
 * @param count how many, from 0
 */
public record RowCopy(int fromBatch, int fromRow, int toBatch, int toRow, int count) {}
