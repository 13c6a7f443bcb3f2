package dev.attention4j.bench;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Puts what the kit's steps left in a folder into one {@code results.json} and one {@code chart.svg}. Run after each
 * step: a step that has not run, was stopped or left half a file is reported as such and takes nothing from the others.
 *
 * <p>The folder holds {@code steps/steps.tsv} (name, outcome, exit code, seconds, command), {@code steps/drivers.txt}
 * and {@code steps/NAME.json} and {@code steps/NAME.log} for each step.
 */
public final class KitReport {
    private static final String RESULTS = "results";

    private final Path steps;
    private final Map<String, Object> report = new LinkedHashMap<>();

    private KitReport(Path folder) {
        steps = folder.resolve("steps");
    }

    /**
     * Merges a folder.
     *
     * @param args the folder, and {@code complete} or {@code stopped} where the run has ended
     */
    public static void main(String[] args) throws IOException {
        if (args.length < 1 || args.length > 2 || !Files.isDirectory(Path.of(args[0]))) {
            System.err.println("KitReport: usage: KitReport OUTDIR [complete|stopped]");
            System.exit(Launch.BAD_INPUT);
        }
        merge(Path.of(args[0]), args.length == 2 ? args[1] : "running");
    }

    /** As {@link #main}; gives what was written. */
    static Map<String, Object> merge(Path folder, String status) throws IOException {
        Map<String, Object> merged = new KitReport(folder).merge(status);
        WholeFile.writeJson(folder.resolve("results.json"), merged);
        WholeFile.write(folder.resolve("chart.svg"), KitChart.svg(merged));
        return merged;
    }

    private Map<String, Object> merge(String status) throws IOException {
        report.put("format", "attention4j-kit/1");
        report.put("status", status);
        report.put("version", Report.version());
        report.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        report.put("machine", machine());
        report.put("drivers", lines(steps.resolve("drivers.txt")));
        List<Map<String, Object>> done = steps();
        report.put("steps", done);
        report.put("doctor", lines(steps.resolve("doctor.log")));
        for (String name : List.of("devices", "conformance", "suite", "roofline", "resident", "torch")) {
            json(name);
        }
        Map<String, Object> others = read("resident-others");
        if (others != null) {
            report.put("resident_other_plans", others);
        }
        for (String name : List.of("compare-float32", "compare-float16")) {
            Map<String, Object> compared = read(name);
            report.put(name.replace('-', '_'), compared);
        }
        report.put("tune", lines(steps.resolve("tune.log")));
        addFractions();
        List<Map<String, Object>> pairs = besideTorch();
        report.put("beside_torch", pairs);
        report.put("summary", summary(pairs));
        return report;
    }

    // ---- what the steps left

    private void json(String name) {
        report.put(name, read(name));
    }

    /** A step's file, or null if there is none. */
    private Map<String, Object> read(String name) {
        Path file = steps.resolve(name + ".json");
        if (!Files.exists(file)) {
            return null;
        }
        try {
            return JSON.std.mapFrom(Files.readString(file));
        } catch (IOException e) {
            // Written when the step was killed; the step's own outcome says that it was.
            Map<String, Object> unreadable = new LinkedHashMap<>();
            unreadable.put("reason", "not readable: " + RoundTiming.message(e));
            return unreadable;
        }
    }

    private List<Map<String, Object>> steps() throws IOException {
        List<Map<String, Object>> list = new ArrayList<>();
        for (String line : lines(steps.resolve("steps.tsv"))) {
            String[] fields = line.split("\t", -1);
            if (fields.length == 5) {
                Map<String, Object> step = new LinkedHashMap<>();
                step.put("name", fields[0]);
                step.put("outcome", fields[1]);
                step.put("exit_code", fields[2].isEmpty() ? null : Integer.valueOf(fields[2]));
                step.put("seconds", fields[3].isEmpty() ? null : Integer.valueOf(fields[3]));
                step.put("what", fields[4]);
                list.add(step);
            }
        }
        return list;
    }

    private static List<String> lines(Path file) throws IOException {
        // Not Files.readAllLines, which refuses malformed text: a driver may print anything.
        return Files.exists(file)
                ? new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                        .lines()
                        .toList()
                : List.of();
    }

    private static Map<String, Object> machine() {
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("arch", System.getProperty("os.arch"));
        machine.put("distribution", fact(Path.of("/etc/os-release"), "PRETTY_NAME="));
        machine.put("processor", fact(Path.of("/proc/cpuinfo"), "model name"));
        machine.put("processors", Runtime.getRuntime().availableProcessors());
        machine.put("memory", fact(Path.of("/proc/meminfo"), "MemTotal:"));
        machine.put("nvidia_driver", fact(Path.of("/proc/driver/nvidia/version"), "NVRM version:"));
        machine.put("java", System.getProperty("java.vendor") + " " + System.getProperty("java.runtime.version"));
        return machine;
    }

    /** Returns the text after a word at the start of a line of a file; null if there is none. */
    private static String fact(Path file, String word) {
        try {
            return Files.readString(file)
                    .lines()
                    .filter(line -> line.startsWith(word))
                    .map(line -> line.substring(word.length())
                            .replaceFirst("^[\\s:]+", "")
                            .replace("\"", "")
                            .strip())
                    .findFirst()
                    .orElse(null);
        } catch (IOException e) {
            return null;
        }
    }

    // ---- what follows from them

    /** Entries of a list in a step's file. */
    static List<Map<String, Object>> entries(Map<String, Object> report, String step, String list) {
        List<Map<String, Object>> entries = new ArrayList<>();
        if (report.get(step) instanceof Map<?, ?> map && map.get(list) instanceof List<?> found) {
            for (Object entry : found) {
                if (entry instanceof Map<?, ?> fields) {
                    Map<String, Object> copy = new LinkedHashMap<>();
                    fields.forEach((key, value) -> copy.put(String.valueOf(key), value));
                    entries.add(copy);
                }
            }
        }
        return entries;
    }

    /** A number of an entry; NaN if it has none of that name. */
    static double number(Map<String, Object> entry, String name) {
        return entry.get(name) instanceof Number number ? number.doubleValue() : Double.NaN;
    }

    /** The time of the GPU: the kernels' time by the device's clock, or the call's where the device has none. */
    static double deviceMs(Map<String, Object> entry) {
        double kernels = number(entry, "kernel_ms");
        return Double.isNaN(kernels) ? number(entry, "median_ms") : kernels;
    }

    /** The name of a case in every list. */
    static String caseName(Map<String, Object> entry) {
        return entry.get("dtype") + " " + entry.get("shape")
                + (Boolean.TRUE.equals(entry.get("causal")) ? ":causal" : "");
    }

    /** The shares of what the roofline step found on the same device: of its multiply-adds, and in decoding of its copy. */
    private void addFractions() {
        Map<Object, Double> peaks = new LinkedHashMap<>();
        Map<Object, Double> copies = new LinkedHashMap<>();
        for (Map<String, Object> roofline : entries(report, "roofline", RESULTS)) {
            peaks.put(roofline.get("engine"), number(roofline, "multiply_add_gflops"));
            copies.put(roofline.get("engine"), number(roofline, "copy_gb_per_s"));
        }
        for (String step : List.of("resident", "resident_other_plans")) {
            List<Map<String, Object>> entries = entries(report, step, RESULTS);
            for (Map<String, Object> entry : entries) {
                Double peak = peaks.get(entry.get("engine"));
                if (peak != null && isTimed(entry)) {
                    entry.put("fraction_of_peak", Figures.rounded(number(entry, "gflops") / peak));
                    if (entry.containsKey("read_gb_per_s")) {
                        double copy = copies.get(entry.get("engine"));
                        entry.put("fraction_of_copy", Figures.rounded(number(entry, "read_gb_per_s") / copy));
                    }
                }
            }
            if (report.get(step) instanceof Map<?, ?> map) {
                Map<String, Object> copy = new LinkedHashMap<>();
                map.forEach((key, value) -> copy.put(String.valueOf(key), value));
                copy.put(RESULTS, entries);
                report.put(step, copy);
            }
        }
    }

    static boolean isTimed(Map<String, Object> entry) {
        return "timed".equals(entry.get("outcome"));
    }

    /** Each case that both timed: this project by its own choice of plan, PyTorch by its fastest backend. */
    private List<Map<String, Object>> besideTorch() {
        Map<String, Map<String, Object>> fastest = new LinkedHashMap<>();
        for (Map<String, Object> entry : entries(report, "torch", RESULTS)) {
            fastest.merge(caseName(entry), entry, (a, b) -> number(a, "median_ms") <= number(b, "median_ms") ? a : b);
        }
        List<Map<String, Object>> pairs = new ArrayList<>();
        for (Map<String, Object> entry : entries(report, "resident", RESULTS)) {
            Map<String, Object> torch = fastest.get(caseName(entry));
            if (torch != null && isTimed(entry)) {
                Map<String, Object> pair = new LinkedHashMap<>();
                pair.put("dtype", entry.get("dtype"));
                pair.put("shape", entry.get("shape"));
                pair.put("causal", entry.get("causal"));
                pair.put("plan", entry.get("plan"));
                pair.put("device_ms", Figures.rounded(deviceMs(entry)));
                pair.put("torch_backend", torch.get("backend"));
                pair.put("torch_ms", torch.get("median_ms"));
                pair.put("ratio_to_torch", Figures.rounded(number(torch, "median_ms") / deviceMs(entry)));
                pairs.add(pair);
            }
        }
        return pairs;
    }

    /** Of each storage type: how many cases, and the ratios to PyTorch where there are any. */
    private Map<String, Object> summary(List<Map<String, Object>> pairs) {
        Map<String, Object> summary = new LinkedHashMap<>();
        Map<String, List<Map<String, Object>>> timed = new TreeMap<>();
        for (Map<String, Object> entry : entries(report, "resident", RESULTS)) {
            if (isTimed(entry)) {
                timed.computeIfAbsent(String.valueOf(entry.get("dtype")), unused -> new ArrayList<>())
                        .add(entry);
            }
        }
        timed.forEach((dtype, entries) -> {
            Map<String, Object> ofType = new LinkedHashMap<>();
            ofType.put("cases", entries.size());
            ofType.put(
                    "best_gflops",
                    entries.stream()
                            .mapToDouble(entry -> number(entry, "gflops"))
                            .max()
                            .orElse(Double.NaN));
            List<Double> ratios = pairs.stream()
                    .filter(pair -> dtype.equals(pair.get("dtype")))
                    .map(pair -> number(pair, "ratio_to_torch"))
                    .toList();
            ofType.put("compared", ratios.size());
            Figures.geometricMean(ratios)
                    .ifPresent(ratio -> ofType.put("geomean_ratio_to_torch", Figures.rounded(ratio)));
            ratios.stream()
                    .min(Double::compare)
                    .ifPresent(ratio -> ofType.put("min_ratio_to_torch", Figures.rounded(ratio)));
            summary.put(dtype.toLowerCase(Locale.ROOT), ofType);
        });
        return summary;
    }
}
