package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.tuning.StorageName;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** All that one comparison found, as it goes into a file and as table and chart read it. */
final class Report {
    private final EngineInfo device;
    private final DType dtype;
    private final int threads;
    private final int rounds;
    private final List<EngineInfo> engines;
    private final Map<String, String> peers;
    private final Map<String, Roofline> rooflines;
    private final Map<Shape, List<Measurement>> measurements = new LinkedHashMap<>();

    /**
     * A report with no figures yet.
     *
     * @param peers what each is built with, by name
     * @param rooflines by engine id; of the host's processor also for {@code cpu} and the peers, under {@code ""}
     */
    Report(
            EngineInfo device,
            DType dtype,
            int threads,
            int rounds,
            List<EngineInfo> engines,
            Map<String, String> peers,
            Map<String, Roofline> rooflines) {
        this.device = device;
        this.dtype = dtype;
        this.threads = threads;
        this.rounds = rounds;
        this.engines = List.copyOf(engines);
        this.peers = peers;
        this.rooflines = new LinkedHashMap<>(rooflines);
    }

    Map<String, String> peers() {
        return peers;
    }

    Map<String, Roofline> rooflines() {
        return rooflines;
    }

    /**
     * Takes in rooflines that were measured meanwhile: a machine that others share may have been slow at the start, and
     * every share of its peak would then be too high.
     */
    void raise(Map<String, Roofline> again) {
        again.forEach((id, roofline) -> rooflines.merge(id, roofline, Roofline::or));
    }

    void add(Shape shape, List<Measurement> ofShape) {
        measurements.put(shape, List.copyOf(ofShape));
    }

    List<Measurement> all() {
        return measurements.values().stream().flatMap(List::stream).toList();
    }

    List<Measurement> of(Shape shape) {
        return measurements.get(shape);
    }

    /** The roofline of where a contender computes; empty if it was not measured. */
    OptionalDouble fractionOfPeak(Measurement measurement) {
        Roofline roofline = roofline(measurement);
        return measurement.isTimed() && roofline != null
                ? OptionalDouble.of(measurement.gflops() / roofline.multiplyAddGflops())
                : OptionalDouble.empty();
    }

    /** The same of the lower of multiply-add peak and what the memory's bandwidth allows for this problem. */
    OptionalDouble fractionOfRoofline(Measurement measurement) {
        Roofline roofline = roofline(measurement);
        return measurement.isTimed() && roofline != null
                ? OptionalDouble.of(measurement.gflops()
                        / roofline.limitGflops(
                                measurement.shape().flops(), measurement.shape().bytes(dtype)))
                : OptionalDouble.empty();
    }

    /** The speed at which keys and values are read, as a share of a plain read of as many bytes in the same rounds. */
    OptionalDouble fractionOfRead(Measurement measurement) {
        if (!measurement.isTimed()
                || Double.isNaN(measurement.readGbPerS())
                || !(measurement.shape() instanceof AttentionShape shape)
                || (measurement.peer() && shape.isCached() && shape.cache().type() != dtype)) {
            // A peer holds the numbers of a cache in its own type.
            return OptionalDouble.empty();
        }
        long bytes = RoundTiming.keyValueBytes(shape.problem(dtype));
        return OptionalDouble.of(bytes / measurement.medianMs() / 1e6 / measurement.readGbPerS());
    }

    /** An engine's share of what its device reaches with multiply-adds alone in the same rounds. */
    OptionalDouble fractionOfMultiplyAdds(Measurement measurement) {
        return measurement.isTimed()
                        && measurement.contender().equals(device.id())
                        && !Double.isNaN(measurement.multiplyAddGflops())
                ? OptionalDouble.of(measurement.gflops() / measurement.multiplyAddGflops())
                : OptionalDouble.empty();
    }

    /** The time of a backward pass, or of both, by that of the forward pass alone, if the same contender was timed on it. */
    OptionalDouble timesForward(Measurement measurement) {
        if (!measurement.isTimed() || !(measurement.shape() instanceof AttentionShape shape) || !shape.hasGradients()) {
            return OptionalDouble.empty();
        }
        AttentionShape forward = shape.withPass(AttentionShape.Pass.FORWARD);
        return all().stream()
                .filter(other -> other.isTimed()
                        && other.shape().equals(forward)
                        && other.contender().equals(measurement.contender())
                        && (other.peer() ? other.plan().equals(measurement.plan()) : other.ownChoice()))
                .mapToDouble(other -> measurement.medianMs() / other.medianMs())
                .findFirst();
    }

    private Roofline roofline(Measurement measurement) {
        return rooflines.getOrDefault(measurement.contender(), rooflines.get(""));
    }

    OptionalDouble ratio(Measurement measurement) {
        return Figures.ratioToBestPeer(measurement, of(measurement.shape()));
    }

    /**
     * The ratios to the best peer of an engine's measurements: of one plan, or (null) of the plan that it takes itself.
     */
    List<Double> ratios(String engine, String plan) {
        List<Double> ratios = new ArrayList<>();
        for (Measurement measurement : all()) {
            boolean wanted =
                    plan == null ? measurement.ownChoice() : measurement.plan().equals(plan);
            if (!measurement.peer() && measurement.contender().equals(engine) && wanted) {
                ratio(measurement).ifPresent(ratios::add);
            }
        }
        return ratios;
    }

    /** The engines that were compared, by id, each once. */
    List<String> engineIds() {
        return all().stream()
                .filter(measurement -> !measurement.peer())
                .map(Measurement::contender)
                .distinct()
                .toList();
    }

    /** The plans of an engine that were compared. */
    List<String> plans(String engine) {
        return all().stream()
                .filter(measurement -> measurement.contender().equals(engine))
                .map(Measurement::plan)
                .distinct()
                .toList();
    }

    // ---- the file

    /** Maps, lists, texts and numbers: what {@link #write} writes. */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("device", device.name());
        map.put("driver", device.driver());
        map.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        map.put("version", version());
        map.put("host", host());
        map.put("dtype", StorageName.of(dtype));
        map.put("threads", threads);
        map.put("rounds", rounds);
        map.put("engines", engines.stream().map(Report::engine).toList());
        map.put("peers", peers);
        Map<String, Object> roofs = new LinkedHashMap<>();
        rooflines.forEach((id, roofline) -> roofs.put(id.isEmpty() ? "host" : id, roofline(roofline)));
        map.put("roofline", roofs);
        map.put(
                "results",
                all().stream().filter(Measurement::isTimed).map(this::result).toList());
        map.put(
                "missing",
                all().stream().filter(m -> !m.isTimed()).map(Report::missing).toList());
        map.put("summary", summary());
        return map;
    }

    /** Writes the report; the file appears whole or not at all. */
    void write(Path file) throws IOException {
        WholeFile.writeJson(file, toMap());
    }

    private Map<String, Object> result(Measurement measurement) {
        Map<String, Object> map = what(measurement);
        map.put("own_choice", measurement.ownChoice());
        map.put("median_ms", Figures.rounded(measurement.medianMs()));
        map.put("min_ms", Figures.rounded(measurement.leastMs()));
        map.put("max_ms", Figures.rounded(measurement.mostMs()));
        map.put("gflops", Figures.rounded(measurement.gflops()));
        map.put("ratio_to_best_peer", rounded(ratio(measurement)));
        map.put("fraction_of_peak", rounded(fractionOfPeak(measurement)));
        map.put("fraction_of_roofline", rounded(fractionOfRoofline(measurement)));
        map.put("multiply_add_gflops", Figures.rounded(measurement.multiplyAddGflops()));
        map.put("fraction_of_multiply_adds", rounded(fractionOfMultiplyAdds(measurement)));
        map.put("read_gb_per_s", Figures.rounded(measurement.readGbPerS()));
        map.put("fraction_of_read", rounded(fractionOfRead(measurement)));
        timesForward(measurement).ifPresent(times -> map.put("times_forward", Figures.rounded(times)));
        map.put("max_error", Figures.rounded(measurement.maxError()));
        map.put("checked_against", measurement.checkedAgainst());
        return map;
    }

    private static Map<String, Object> missing(Measurement measurement) {
        Map<String, Object> map = what(measurement);
        map.put("outcome", measurement.outcome().name().toLowerCase(Locale.ROOT));
        map.put("reason", measurement.reason());
        return map;
    }

    private static Map<String, Object> what(Measurement measurement) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("shape", measurement.shape().sizes());
        map.put("causal", measurement.shape().isCausal());
        map.put("mask", measurement.shape().isMasked());
        if (measurement.shape() instanceof AttentionShape shape) {
            if (shape.isCached()) {
                map.put("cache", shape.cache().toString());
            }
            if (shape.hasGradients()) {
                map.put("pass", shape.pass().name().toLowerCase(Locale.ROOT));
            }
            if (shape.option().isExpression()) {
                map.put("expression", shape.option().suffix().substring(1));
            }
        }
        map.put("engine", measurement.contender());
        map.put("plan", measurement.plan());
        map.put("peer", measurement.peer());
        return map;
    }

    private Map<String, Object> summary() {
        Map<String, Object> summary = new LinkedHashMap<>();
        for (String engine : engineIds()) {
            Map<String, Object> ofEngine = ratios(ratios(engine, null));
            Map<String, Object> plans = new LinkedHashMap<>();
            for (String plan : plans(engine)) {
                plans.put(plan, ratios(ratios(engine, plan)));
            }
            ofEngine.put("plans", plans);
            summary.put(engine, ofEngine);
        }
        return summary;
    }

    private static Map<String, Object> ratios(List<Double> ratios) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("geomean_ratio", rounded(Figures.geometricMean(ratios)));
        map.put(
                "min_ratio",
                rounded(ratios.stream().mapToDouble(Double::doubleValue).min()));
        map.put("shapes", ratios.size());
        return map;
    }

    private static Map<String, Object> engine(EngineInfo engine) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("id", engine.id());
        map.put("kind", engine.kind().name().toLowerCase(Locale.ROOT));
        map.put("name", engine.name());
        map.put("driver", engine.driver());
        map.put("platform", engine.facts().get("platform version"));
        return map;
    }

    private static Map<String, Object> roofline(Roofline roofline) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("multiply_add_gflops", Figures.rounded(roofline.multiplyAddGflops()));
        map.put("copy_gb_per_s", Figures.rounded(roofline.copyGbPerS()));
        map.put("read_gb_per_s", Figures.rounded(roofline.readGbPerS()));
        return map;
    }

    private static Map<String, Object> host() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        map.put("java", System.getProperty("java.version"));
        map.put("processors", Runtime.getRuntime().availableProcessors());
        return map;
    }

    /** The library's version, as this project's jar has it: both are built from the same tree. */
    static String version() {
        String version = Report.class.getPackage().getImplementationVersion();
        return version == null ? "(built from classes)" : version;
    }

    private static Double rounded(OptionalDouble number) {
        return number.isPresent() ? Figures.rounded(number.getAsDouble()) : null;
    }
}
