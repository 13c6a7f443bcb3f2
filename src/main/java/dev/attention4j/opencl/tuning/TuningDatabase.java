package dev.attention4j.opencl.tuning;

import dev.attention4j.EngineOptions;
import dev.attention4j.Tuning;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The entries for one device: those that ship with the library, and the user's own, which replace them. */
public final class TuningDatabase {
    private static final String SHIPPED = "tuning.json";

    /**
     * An entry and its origin.
     *
     * @param ofUser true if this user has measured it, false if it ships with the library
     */
    public record Found(TuningEntry entry, boolean ofUser, String driver) {
        /** Returns whether it is of a plan. */
        public boolean isOf(String plan) {
            return entry.variant().plan().equals(plan);
        }

        /** The origin as part of a line. */
        @Override
        public String toString() {
            return "tuned on " + (ofUser ? "this device" : "such a device") + " on " + entry.measured()
                    + " with driver " + entry.driver()
                    + (entry.driver().equals(driver) ? "" : ", this is driver " + driver);
        }
    }

    private record Key(String asked, ProblemClass problems) {}

    private final Map<Key, Found> found = new HashMap<>();

    private TuningDatabase() {}

    /** Reads the entries for a device of this name whose driver has this version. */
    public static TuningDatabase open(Tuning tuning, String device, String driver) {
        List<TuningEntry> shipped = tuning.source() == Tuning.Source.NONE ? List.of() : entries(shippedFile(), device);
        List<TuningEntry> user =
                tuning.source() == Tuning.Source.USER ? UserTuning.of(tuning).read() : List.of();
        return of(shipped, user, device, driver);
    }

    /** Does {@link #open} with given entries. */
    static TuningDatabase of(List<TuningEntry> shipped, List<TuningEntry> user, String device, String driver) {
        TuningDatabase database = new TuningDatabase();
        database.add(shipped, false, device, driver);
        database.add(user, true, device, driver);
        return database;
    }

    /** Adds entries. Of several for one question, such as from two drivers, that of this driver counts, or else the newest. */
    private void add(List<TuningEntry> entries, boolean ofUser, String device, String driver) {
        List<TuningEntry> ordered = new ArrayList<>(entries);
        ordered.sort(Comparator.comparing((TuningEntry entry) -> entry.driver().equals(driver))
                .thenComparing(TuningEntry::measured));
        for (TuningEntry entry : ordered) {
            if (entry.device().equals(device)) {
                found.put(new Key(entry.asked(), entry.problems()), new Found(entry, ofUser, driver));
            }
        }
    }

    /** Returns the entries that ship with the library. */
    static List<TuningEntry> shipped() {
        return entries(shippedFile());
    }

    /**
     * Returns a file's entries, or none if the device's name is not in it. The file is then not parsed, which would take a fifth
     * of the time to open an engine and make its first call.
     */
    static List<TuningEntry> entries(byte[] file, String device) {
        String text = new String(file, StandardCharsets.UTF_8);
        // The name may be written with escapes.
        return text.contains(device) || text.contains("\\") ? entries(file) : List.of();
    }

    private static List<TuningEntry> entries(byte[] file) {
        try {
            return UserTuning.read(file, "the library's " + SHIPPED).entries();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] shippedFile() {
        try (InputStream resource = TuningDatabase.class.getResourceAsStream(SHIPPED)) {
            if (resource == null) {
                throw new IllegalStateException("the library's " + SHIPPED + " is not in its jar");
            }
            return resource.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the plan and tunables that were the fastest of all plans; empty if the class is not tuned. */
    public Optional<Found> fastest(ProblemClass problems) {
        return find(EngineOptions.AUTO, problems);
    }

    /** Returns the tunables that were the fastest of a plan; empty if it is not tuned for the class. */
    public Optional<Found> fastestOf(String plan, ProblemClass problems) {
        return find(plan, problems).or(() -> fastest(problems).filter(found -> found.isOf(plan)));
    }

    private Optional<Found> find(String asked, ProblemClass problems) {
        // Most devices have no entry: their first call need not wait until the record's hash code is linked.
        return found.isEmpty() ? Optional.empty() : Optional.ofNullable(found.get(new Key(asked, problems)));
    }
}
