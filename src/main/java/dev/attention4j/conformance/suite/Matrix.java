package dev.attention4j.conformance.suite;

import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Outcomes by feature and by engine and plan: how many went how, and the largest error of each. */
public final class Matrix {
    /**
     * What a column shows.
     *
     * @param engine the engine's id
     * @param plan one of its plans
     */
    public record Column(String engine, String plan) {}

    /** The outcomes of one feature by one plan of one engine. */
    public static final class Cell {
        private int passed;
        private int failed;
        private int crashed;
        private int hung;
        private double units = Double.NaN;

        private void add(Outcome outcome) {
            switch (outcome.status()) {
                case PASSED -> passed++;
                case SKIPPED -> {
                    // The cell shows that nothing was run, unless something else was.
                }
                case FAILED -> failed++;
                case CRASHED -> crashed++;
                case HUNG -> hung++;
            }
            if (outcome.status() == Status.PASSED && !(outcome.units() <= units) && !Double.isNaN(outcome.units())) {
                units = outcome.units();
            }
        }

        /** How many cases were right. */
        public int passed() {
            return passed;
        }

        /** How many cases were wrong, crashed and timed out among them. */
        public int failures() {
            return failed + crashed + hung;
        }

        /**
         * The largest error of the cases that were right; in units of the yardstick; NaN where nothing was measured.
         */
        public double units() {
            return units;
        }

        /**
         * The cell as a word: the largest error, {@code ok} where all is right and nothing was measured, the failures
         * where there are any, and {@code -} where nothing was run.
         */
        @Override
        public String toString() {
            if (failures() > 0) {
                String what = crashed > 0 ? "CRASH" : hung > 0 ? "HANG" : "WRONG";
                return failures() + " " + what;
            }
            if (passed == 0) {
                return "-";
            }
            return Double.isNaN(units) ? "ok" : String.format(Locale.ROOT, "%.2f", units);
        }
    }

    private final Set<Column> columns = new LinkedHashSet<>();
    private final Map<String, Map<Column, Cell>> cells = new LinkedHashMap<>();

    private Matrix() {}

    /**
     * Counts.
     *
     * @param outcomes in the order of features and columns to come
     */
    public static Matrix of(List<Outcome> outcomes) {
        Matrix matrix = new Matrix();
        for (Outcome outcome : outcomes) {
            Column column = new Column(outcome.engine(), outcome.plan());
            matrix.columns.add(column);
            matrix.cells
                    .computeIfAbsent(outcome.feature(), fresh -> new LinkedHashMap<>())
                    .computeIfAbsent(column, fresh -> new Cell())
                    .add(outcome);
        }
        return matrix;
    }

    /** An engine and a plan for each column; in the order in which they were met. */
    public List<Column> columns() {
        return List.copyOf(columns);
    }

    /** A feature for each row; in the order in which they were met. */
    public Set<String> features() {
        return Collections.unmodifiableSet(cells.keySet());
    }

    /** The outcomes of a row in a column; empty of outcomes where there are none. */
    public Cell cell(String feature, Column column) {
        return cells.getOrDefault(feature, Map.of()).getOrDefault(column, new Cell());
    }
}
