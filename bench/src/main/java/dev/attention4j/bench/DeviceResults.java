package dev.attention4j.bench;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;

/**
 * All reports of one device in a folder. A shape that several of them have is taken from the newest.
 *
 * @param name of the files, without an ending: that of the device's first report
 * @param reports as {@link Compare} wrote them, the oldest first
 */
record DeviceResults(String name, List<Map<String, Object>> reports, List<Result> results) {
    private static final String ENDING = ".json";

    /**
     * Reads a folder; one for each device, driver and storage type, in the order of the names.
     *
     * @param folder holds {@code <device>.json} files as {@link Compare} writes them
     */
    static List<DeviceResults> read(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> listed = Files.list(folder)) {
            files = listed.filter(file -> file.toString().endsWith(ENDING))
                    // The shortest name of a device is its own; the others have something more at the end.
                    .sorted(Comparator.comparing((Path file) -> file.toString().length())
                            .thenComparing(Comparator.naturalOrder()))
                    .toList();
        }
        if (files.isEmpty()) {
            throw new IllegalArgumentException(folder + ": must hold at least one .json file of Compare");
        }
        Map<String, String> names = new LinkedHashMap<>();
        Map<String, List<Map<String, Object>>> byDevice = new LinkedHashMap<>();
        for (Path file : files) {
            Map<String, Object> report = JSON.std.mapFrom(Files.readString(file));
            String device = report.get("device") + "\n" + report.get("driver") + "\n" + report.get("dtype");
            String name = file.getFileName().toString();
            names.putIfAbsent(device, name.substring(0, name.length() - ENDING.length()));
            byDevice.computeIfAbsent(device, fresh -> new ArrayList<>()).add(report);
        }
        List<DeviceResults> all = new ArrayList<>();
        byDevice.forEach((device, reports) -> all.add(of(names.get(device), reports)));
        return all;
    }

    private static DeviceResults of(String name, List<Map<String, Object>> reports) {
        List<Map<String, Object>> byDate = new ArrayList<>(reports);
        byDate.sort(Comparator.comparing(report -> String.valueOf(report.get("date"))));
        Map<String, List<Result>> newest = new LinkedHashMap<>();
        for (Map<String, Object> report : byDate) {
            Map<String, List<Result>> shapes = new LinkedHashMap<>();
            Result.list(report).forEach(result -> shapes.computeIfAbsent(result.name(), fresh -> new ArrayList<>())
                    .add(result));
            newest.putAll(shapes);
        }
        return new DeviceResults(
                name,
                List.copyOf(byDate),
                newest.values().stream().flatMap(List::stream).toList());
    }

    /** Returns a fact of the newest report. */
    String fact(String name) {
        return String.valueOf(reports.get(reports.size() - 1).get(name));
    }

    /** Returns a fact of all reports: one value, or the least and the greatest with a word between. */
    String range(String name, String between) {
        List<String> values = reports.stream()
                .map(report -> String.valueOf(report.get(name)))
                .distinct()
                .sorted(Comparator.comparing(String::length).thenComparing(Comparator.naturalOrder()))
                .toList();
        return values.size() == 1 ? values.get(0) : values.get(0) + between + values.get(values.size() - 1);
    }

    /** Returns each engine of this project that was compared with a peer. */
    List<String> engines() {
        return results.stream()
                .filter(result -> !result.peer() && result.hasRatio())
                .map(Result::engine)
                .distinct()
                .toList();
    }

    /** Returns the results of the plans that an engine takes by itself, where there is a peer. */
    List<Result> ownChoices(String engine) {
        return results.stream()
                .filter(result -> result.engine().equals(engine) && result.ownChoice() && result.hasRatio())
                .toList();
    }

    /** Returns the fastest peer's result on a shape; null where none was timed. */
    Result bestPeer(String shape) {
        return results.stream()
                .filter(result -> result.peer() && result.name().equals(shape))
                .min(Comparator.comparingDouble(Result::ms))
                .orElse(null);
    }

    /** Returns the geometric mean of an engine's ratios to the best peer. */
    OptionalDouble meanRatio(String engine) {
        return Figures.geometricMean(
                ownChoices(engine).stream().map(Result::ratio).toList());
    }

    /** Returns the least of an engine's ratios to the best peer. */
    OptionalDouble leastRatio(String engine) {
        return ownChoices(engine).stream().mapToDouble(Result::ratio).min();
    }
}
