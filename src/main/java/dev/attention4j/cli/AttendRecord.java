package dev.attention4j.cli;

import dev.attention4j.Attention;
import dev.attention4j.EngineInfo;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Timing;
import dev.attention4j.opencl.tuning.StorageName;
import dev.attention4j.reference.Deviation;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The findings of {@code attend}, line by line on a screen and as fields for JSON. */
final class AttendRecord {
    private static final int LABEL = 9;
    /** Short names for labels, which have room for no more. */
    private static final Map<String, String> LABELS = Map.of("log_sum_exp", "lse", "query_mask", "q mask");

    private final PrintWriter screen;
    private final Map<String, Object> fields = new LinkedHashMap<>();
    private final Map<String, Object> results = new LinkedHashMap<>();

    AttendRecord(PrintWriter screen) {
        this.screen = screen;
    }

    Map<String, Object> fields() {
        return fields;
    }

    void inputs(Path in, AttendInputs inputs, Attention attention) {
        Map<String, Object> tensors = new LinkedHashMap<>();
        inputs.tensors().forEach((name, tensor) -> {
            line(name, describe(tensor));
            tensors.put(name, shapeAndType(tensor));
        });
        line("options", options(attention));
        fields.put("file", in);
        fields.put("inputs", tensors);
        fields.put("options", options(attention));
    }

    /** Without the name of the type around them. */
    static String options(Attention attention) {
        String options = attention.toString().replaceFirst("^\\w+\\[(.*)]$", "$1");
        return options.isEmpty() ? "none" : options;
    }

    void engine(EngineInfo info, String plan) {
        line("engine", info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info));
        line("plan", plan);
        fields.put("engine", JsonOption.fields(info));
        fields.put("plan", plan);
    }

    /** Of the first call, and the median of the others. */
    void time(double first, List<Double> again, double flops) {
        fields.put("first_milliseconds", first);
        fields.put("calls", again.size());
        if (again.size() == 0) {
            line("time", Text.milliseconds(first) + " (one call)");
            return;
        }
        double median =
                Timing.median(again.stream().mapToDouble(Double::doubleValue).toArray());
        fields.put("milliseconds", median);
        fields.put("flops", flops);
        line(
                "time",
                Text.milliseconds(median)
                        + String.format(
                                Locale.ROOT,
                                " (%.3g GFLOP/s), median of %d %s, after a first of %s",
                                flops / median / 1e6,
                                again.size(),
                                again.size() == 1 ? "call" : "calls",
                                Text.milliseconds(first)));
    }

    /** Range and mean of what is finite. */
    void result(String name, Tensor tensor) {
        double sum = 0;
        double least = Double.POSITIVE_INFINITY;
        double largest = Double.NEGATIVE_INFINITY;
        long finite = 0;
        double[] elements = tensor.toDoubleArray();
        for (double element : elements) {
            if (Double.isFinite(element)) {
                finite++;
                sum += element;
                least = Math.min(least, element);
                largest = Math.max(largest, element);
            }
        }
        long strange = elements.length - finite;
        String numbers = finite == 0
                ? "no finite number"
                : String.format(Locale.ROOT, "%.4g to %.4g, mean %.4g", least, largest, sum / finite);
        line(name, describe(tensor) + ": " + numbers + (strange > 0 ? ", " + strange + " NaN or infinite" : ""));
        Map<String, Object> result = shapeAndType(tensor);
        result.put("least", least);
        result.put("largest", largest);
        result.put("mean", sum / finite);
        result.put("not_finite", strange);
        results.put(name, result);
        fields.put("results", results);
    }

    /** Returns whether all is right. */
    boolean verified(List<Deviation> deviations) {
        List<Object> verified = new ArrayList<>();
        for (Deviation deviation : deviations) {
            line("verify", deviation.toString());
            verified.add(JsonOption.fields(
                    "what", deviation.what(),
                    "error", deviation.error(),
                    "plain_float_error", deviation.plainError(),
                    "allowed", deviation.limit(),
                    "right", deviation.isAllowed(),
                    "worst", deviation.worst()));
        }
        fields.put("verify", verified);
        return deviations.stream().allMatch(Deviation::isAllowed);
    }

    void written(Path out, Collection<String> names) {
        line("written", out + " (" + String.join(", ", names) + ")");
        fields.put("output", out);
    }

    void drawn(Path page) {
        line("page", page + " (for a browser)");
        fields.put("page", page);
    }

    private static String describe(Tensor tensor) {
        return Text.shape(tensor.shape()) + " " + StorageName.of(tensor.dtype());
    }

    private static Map<String, Object> shapeAndType(Tensor tensor) {
        return JsonOption.fields(
                "shape", Arrays.stream(tensor.shape()).boxed().toList(), "type", StorageName.of(tensor.dtype()));
    }

    private void line(String label, String text) {
        screen.println(Text.labelled(LABELS.getOrDefault(label, label), LABEL, text));
    }
}
