/**
 * The command line: one class for each command, and what they share.
 *
 * <p>{@link dev.attention4j.cli.Main} has the commands, the exit codes (0 success, 1 what was checked failed, 2 bad
 * usage or input) and turns whatever is thrown below into one line. Nothing outside of this package uses picocli, the
 * progress bar or the chart library.
 */
package dev.attention4j.cli;
