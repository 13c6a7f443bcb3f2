package dev.attention4j.opencl.tuning;

import dev.attention4j.EngineOptions;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * The plan and tunables that were measured to be the fastest for a class of problems on a device.
 *
 * @param asked the requested plan: a plan's name, or {@code auto} for all
 * @param shape the measured shapes, for readers
 * @param milliseconds of a call with the winner
 * @param gain the time without this entry ÷ the time with it
 */
public record TuningEntry(
        String device,
        String driver,
        LocalDate measured,
        String asked,
        ProblemClass problems,
        Variant variant,
        String shape,
        double milliseconds,
        double gain) {
    /** Refuses blank texts, and winners of another plan than the requested one. */
    public TuningEntry {
        filled("device", device);
        filled("driver", driver);
        Objects.requireNonNull(measured, "measured");
        filled("asked", asked);
        Objects.requireNonNull(problems, "problems");
        filled("plan", variant.plan());
        filled("shape", shape);
        if (!asked.equals(EngineOptions.AUTO) && !asked.equals(variant.plan())) {
            throw new IllegalArgumentException(
                    "plan: \"" + variant.plan() + "\", must be \"" + asked + "\", the requested plan");
        }
        if (!(milliseconds > 0) || !(gain > 0) || Double.isInfinite(milliseconds) || Double.isInfinite(gain)) {
            throw new IllegalArgumentException(
                    "milliseconds and gain: " + milliseconds + " and " + gain + ", must be above 0");
        }
    }

    /** Returns whether both entries are for the same device, requested plan and class, so that only one can be used. */
    public boolean replaces(TuningEntry other) {
        return device.equals(other.device) && asked.equals(other.asked) && problems.equals(other.problems);
    }

    /** Returns the entry as a JSON object. */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("device", device);
        map.put("driver", driver);
        map.put("measured", measured.toString());
        map.put("asked", asked);
        map.put("dtype", StorageName.of(problems.dtype()));
        map.put("width", problems.width());
        map.put("length", problems.length());
        map.put("causal", problems.causal());
        map.put("plan", variant.plan());
        map.put("tunables", variant.tunables().toString());
        map.put("shape", shape);
        map.put("milliseconds", milliseconds);
        map.put("gain", gain);
        return map;
    }

    /** Reads a JSON object; throws an {@link IllegalArgumentException} that says what is missing or wrong. */
    static TuningEntry of(Map<?, ?> map) {
        return new TuningEntry(
                text(map, "device"),
                text(map, "driver"),
                date(text(map, "measured")),
                text(map, "asked"),
                new ProblemClass(
                        StorageName.parseKeyValue("dtype", text(map, "dtype")),
                        text(map, "width"),
                        text(map, "length"),
                        causal(map)),
                new Variant(text(map, "plan"), Tunables.parse(text(map, "tunables"))),
                text(map, "shape"),
                number(map, "milliseconds"),
                number(map, "gain"));
    }

    private static void filled(String name, String text) {
        if (text.isBlank() || text.length() > 300) {
            throw new IllegalArgumentException(name + ": \"" + text + "\", must be a text of 1 to 300 characters");
        }
    }

    private static String text(Map<?, ?> map, String name) {
        return value(map, name, String.class);
    }

    private static double number(Map<?, ?> map, String name) {
        return value(map, name, Number.class).doubleValue();
    }

    private static boolean causal(Map<?, ?> map) {
        return value(map, "causal", Boolean.class);
    }

    private static LocalDate date(String text) {
        try {
            return LocalDate.parse(text);
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException("measured: \"" + text + "\", must be a day such as 2026-11-30", e);
        }
    }

    private static <T> T value(Map<?, ?> map, String name, Class<T> type) {
        Object value = map.get(name);
        if (!type.isInstance(value)) {
            throw new IllegalArgumentException(name + ": " + value + ", must be a "
                    + type.getSimpleName().toLowerCase(Locale.ROOT).replace("string", "text"));
        }
        return type.cast(value);
    }
}
