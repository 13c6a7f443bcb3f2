package dev.attention4j.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Rows under headings, with columns as wide as they must be; what does not fit a screen is wrapped in its column. */
final class Table {
    private static final String GAP = "  ";
    private static final int NARROWEST = 8;

    private final String[] headings;
    private final List<String[]> rows = new ArrayList<>();
    private final List<List<String>> notes = new ArrayList<>();

    Table(String... headings) {
        this.headings = headings.clone();
    }

    /** Adds a row with a cell for each heading. */
    void row(String... cells) {
        if (cells.length != headings.length) {
            throw new IllegalArgumentException("cells: " + cells.length + ", must be " + headings.length);
        }
        rows.add(cells.clone());
        notes.add(new ArrayList<>());
    }

    /** Adds a line under the last row, across the columns. */
    void note(String line) {
        notes.get(notes.size() - 1).add(line);
    }

    /** The whole table, at most {@code columns} wide unless there are too many headings for that. */
    String text(int columns) {
        int[] widths = widths(columns);
        StringBuilder text = new StringBuilder();
        append(text, widths, headings);
        for (int n = 0; n < rows.size(); n++) {
            append(text, widths, rows.get(n));
            notes.get(n).forEach(line -> text.append(line).append('\n'));
        }
        return text.toString().stripTrailing();
    }

    private int[] widths(int columns) {
        int[] widths = new int[headings.length];
        int[] longestWords = new int[headings.length];
        for (int column = 0; column < widths.length; column++) {
            int n = column;
            List<String> cells =
                    new ArrayList<>(rows.stream().map(row -> row[n]).toList());
            cells.add(headings[column]);
            widths[column] = cells.stream().mapToInt(String::length).max().getAsInt();
            longestWords[column] = cells.stream()
                    .flatMap(cell -> Stream.of(cell.split("\\s+", -1)))
                    .mapToInt(String::length)
                    .max()
                    .getAsInt();
        }
        // Words are broken only where that is not enough.
        narrow(widths, longestWords, columns);
        narrow(widths, IntStream.of(widths).map(width -> NARROWEST).toArray(), columns);
        return widths;
    }

    /** Takes from the widest column again and again until they fit, or all are as narrow as they may be. */
    private static void narrow(int[] widths, int[] least, int columns) {
        int excess = IntStream.of(widths).sum() + GAP.length() * (widths.length - 1) - columns;
        for (; excess > 0; excess--) {
            int widest = -1;
            for (int column = 0; column < widths.length; column++) {
                if (widths[column] > least[column] && (widest < 0 || widths[column] > widths[widest])) {
                    widest = column;
                }
            }
            if (widest < 0) {
                return;
            }
            widths[widest]--;
        }
    }

    private static void append(StringBuilder text, int[] widths, String... cells) {
        List<List<String>> wrapped = new ArrayList<>();
        int height = 1;
        for (int column = 0; column < cells.length; column++) {
            wrapped.add(Text.wrap(cells[column], widths[column]));
            height = Math.max(height, wrapped.get(column).size());
        }
        for (int line = 0; line < height; line++) {
            StringBuilder joined = new StringBuilder();
            for (int column = 0; column < cells.length; column++) {
                List<String> cell = wrapped.get(column);
                String part = line < cell.size() ? cell.get(line) : "";
                joined.append(part)
                        .append(" ".repeat(widths[column] - part.length()))
                        .append(GAP);
            }
            text.append(joined.toString().stripTrailing()).append('\n');
        }
    }
}
