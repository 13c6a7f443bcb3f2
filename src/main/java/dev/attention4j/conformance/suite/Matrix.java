package dev.attention4j.conformance.suite;

import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Outcomes by feature and by engine and plan, both in the order in which they were met. */
public final class Matrix {
    private final Set<Column> columns = new LinkedHashSet<>();
    private final Map<String, Map<Column, List<Outcome>>> cells = new LinkedHashMap<>();

    /** Sorts outcomes into cells. */
    public Matrix(List<Outcome> outcomes) {
        for (Outcome outcome : outcomes) {
            Column column = new Column(outcome.engine(), outcome.plan());
            columns.add(column);
            cells.computeIfAbsent(outcome.feature(), fresh -> new LinkedHashMap<>())
                    .computeIfAbsent(column, fresh -> new ArrayList<>())
                    .add(outcome);
        }
    }

    /** One plan of an engine. */
    public record Column(String engine, String plan) {}

    /** The outcomes of one feature by one plan of one engine. */
    public record Cell(List<Outcome> outcomes) {
        /** Counts the cases that were right. */
        public long passed() {
            return count(Status.PASSED);
        }

        /** Counts the cases that were wrong, crashed or timed out. */
        public long failures() {
            return outcomes.stream()
                    .filter(outcome -> outcome.status().isFailure())
                    .count();
        }

        private long count(Status status) {
            return outcomes.stream()
                    .filter(outcome -> outcome.status() == status)
                    .count();
        }

        /** The largest error of the cases that were right, in units of the yardstick; NaN where nothing was measured. */
        public double units() {
            return outcomes.stream()
                    .filter(outcome -> outcome.status() == Status.PASSED)
                    .mapToDouble(Outcome::units)
                    .filter(units -> !Double.isNaN(units))
                    .max()
                    .orElse(Double.NaN);
        }

        /**
         * The cell as a word: the largest error, {@code ok} where all is right and nothing was measured, the failures
         * where there are any, and {@code -} where nothing was run.
         */
        @Override
        public String toString() {
            if (failures() > 0) {
                String what = count(Status.CRASHED) > 0 ? "CRASH" : count(Status.HUNG) > 0 ? "HANG" : "WRONG";
                return failures() + " " + what;
            }
            if (passed() == 0) {
                return "-";
            }
            return Double.isNaN(units()) ? "ok" : String.format(Locale.ROOT, "%.2f", units());
        }
    }

    /** An engine and a plan for each column. */
    public List<Column> columns() {
        return List.copyOf(columns);
    }

    /** A feature for each row. */
    public List<String> features() {
        return List.copyOf(cells.keySet());
    }

    /** The outcomes of a row in a column, which may be none. */
    public Cell cell(String feature, Column column) {
        return new Cell(cells.getOrDefault(feature, Map.of()).getOrDefault(column, List.of()));
    }
}
