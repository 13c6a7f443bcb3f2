package dev.attention4j.opencl.tuning;

import dev.attention4j.AttentionProblem;
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

/** The entries for one device: what ships with the library and, over it, the user's own. */
public final class TuningDatabase {
    private static final String SHIPPED = "tuning.json";

    /**
     * An entry and what is said of it.
     *
     * @param entry what was measured
     * @param ofUser whether this user has measured it; else it ships with the library
     * @param driver the version that is there now
     */
    public record Found(TuningEntry entry, boolean ofUser, String driver) {
        /** Who measured it when and on what: part of a line. */
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

    /**
     * The entries for a device.
     *
     * @param tuning where to look
     * @param device the device's name
     * @param driver its driver's version
     * @return empty if nobody has tuned it
     */
    public static TuningDatabase open(Tuning tuning, String device, String driver) {
        List<TuningEntry> shipped = tuning.source() == Tuning.Source.NONE ? List.of() : entries(shippedFile(), device);
        List<TuningEntry> user =
                tuning.source() == Tuning.Source.USER ? UserTuning.of(tuning).read() : List.of();
        return of(shipped, user, device, driver);
    }

    /** As {@link #open} with given entries. */
    static TuningDatabase of(List<TuningEntry> shipped, List<TuningEntry> user, String device, String driver) {
        TuningDatabase database = new TuningDatabase();
        database.add(shipped, false, device, driver);
        database.add(user, true, device, driver);
        return database;
    }

    /** Of several for the same question, such as from two drivers, that of this driver counts, else the newest. */
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

    /** What ships with the library. */
    static List<TuningEntry> shipped() {
        return entries(shippedFile());
    }

    /**
     * A file's entries if any may be a device's. Most devices have none in what ships: then it is not parsed, which takes a
     * fifth of the time of opening an engine and its first call.
     */
    static List<TuningEntry> entries(byte[] file, String device) {
        String text = new String(file, StandardCharsets.UTF_8);
        // A name may be there in escapes.
        return text.contains(device) || text.contains("\\") ? entries(file) : List.of();
    }

    private static List<TuningEntry> entries(byte[] file) {
        try {
            return TuningJson.read(file, "the library's " + SHIPPED).entries();
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

    /**
     * The plan and tunables that were fastest of all plans'.
     *
     * @param problem any
     * @return empty if nobody has tuned its class
     */
    public Optional<Found> fastest(AttentionProblem problem) {
        return find(EngineOptions.AUTO, problem);
    }

    /**
     * The tunables that were fastest of a plan's.
     *
     * @param plan its name
     * @param problem any
     * @return empty if nobody has tuned the plan for its class
     */
    public Optional<Found> fastestOf(String plan, AttentionProblem problem) {
        return find(plan, problem).or(() -> fastest(problem)
                .filter(auto -> auto.entry().variant().plan().equals(plan)));
    }

    /**
     * The kernel of projections and its tunables that were fastest.
     *
     * @return empty if nobody has tuned them
     */
    public Optional<Found> fastestProjection() {
        // Most devices have no entry, and a first call need not wait for a record's hash code to be made.
        return found.isEmpty()
                ? Optional.empty()
                : Optional.ofNullable(found.get(new Key(EngineOptions.AUTO, ProblemClass.PROJECTIONS)));
    }

    private Optional<Found> find(String asked, AttentionProblem problem) {
        // Most devices have no entry, and small problems count in microseconds.
        return found.isEmpty()
                ? Optional.empty()
                : Optional.ofNullable(found.get(new Key(asked, ProblemClass.of(problem))));
    }
}
