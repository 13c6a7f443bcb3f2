package dev.attention4j.cli;

import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.tuner.Tuner;
import dev.attention4j.tuner.TuningResult;
import dev.attention4j.tuner.TuningResult.Outcome;
import dev.attention4j.tuner.TuningResult.Trial;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What became of each variant of a shape, and who won: first those timed to the end, the fastest first. */
final class TuningTable {
    private TuningTable() {}

    static void print(TuningResult result, double flops, PrintWriter out) {
        Map<String, Tunables> common = common(result.trials());
        Table table = new Table("plan", "tunables", "ms", "GFLOP/s", "ratio", "");
        for (Trial trial : result.trials()) {
            double ms = trial.milliseconds();
            boolean timed = !Double.isNaN(ms);
            table.row(
                    trial.variant().plan(),
                    varying(trial.variant(), common),
                    timed ? number(ms) : "",
                    timed ? number(flops / ms / 1e6) : "",
                    timed ? String.format(Locale.ROOT, "%.2f", trial.ratio()) : "",
                    remark(trial, result));
        }
        out.println(table.text(Text.WIDTH));
        Text.wrap(legend(result.trials()), Text.WIDTH).forEach(out::println);
        common.forEach((plan, tunables) -> {
            if (!tunables.values().isEmpty()) {
                Text.wrap("The same in all of " + plan + ": " + spaced(tunables), Text.WIDTH)
                        .forEach(out::println);
            }
        });
        result.fastest().ifPresent(fastest -> Text.wrap(verdict(fastest, result), Text.WIDTH)
                .forEach(out::println));
    }

    /** Explains what the table has. */
    private static String legend(List<Trial> trials) {
        String legend = "ratio: how many times as fast as the default in the same rounds.";
        if (trials.stream().anyMatch(trial -> trial.outcome() == Outcome.SLOW)) {
            legend += " first look: timed briefly (its least time, not the median), and too slow to go on with.";
        }
        if (trials.stream().anyMatch(trial -> trial.outcome() == Outcome.NOT_TRIED)) {
            legend += " not tried: what its plan takes by itself is more than " + Tuner.HOPELESS
                    + " times as slow as another plan.";
        }
        return legend;
    }

    private static String verdict(Trial fastest, TuningResult result) {
        if (fastest.variant().equals(result.untuned())) {
            return "The default is the fastest.";
        }
        return String.format(
                Locale.ROOT,
                "The fastest was timed against the default again, by turns: %.3f times as fast, faster in %d of %d turns%s.",
                result.gain(),
                result.won(),
                result.turns(),
                result.isClearlyBetter() ? "" : "; not clearly better, so the default stays");
    }

    private static String remark(Trial trial, TuningResult result) {
        String role = trial.variant().equals(result.untuned())
                ? "default"
                : result.isClearlyBetter()
                                && result.fastest().filter(trial::equals).isPresent()
                        ? "fastest"
                        : "";
        String detail =
                switch (trial.outcome()) {
                    case TIMED -> "";
                    case SLOW -> "first look";
                    case NOT_TRIED -> "not tried";
                    case FAILED -> "failed: " + trial.detail();
                    case WRONG -> "WRONG: " + trial.detail();
                };
        return role.isEmpty() || detail.isEmpty() ? role + detail : role + ", " + detail;
    }

    /** What all variants of a plan have in common, where there are several; said once, it keeps the rows short. */
    private static Map<String, Tunables> common(List<Trial> trials) {
        Map<String, List<Tunables>> byPlan = trials.stream()
                .map(Trial::variant)
                .collect(Collectors.groupingBy(
                        Variant::plan, LinkedHashMap::new, Collectors.mapping(Variant::tunables, Collectors.toList())));
        Map<String, Tunables> common = new LinkedHashMap<>();
        byPlan.forEach((plan, all) -> {
            Map<String, Integer> shared = new LinkedHashMap<>(all.get(0).values());
            shared.entrySet()
                    .removeIf(entry -> all.size() == 1
                            || all.stream().anyMatch(one -> !entry.getValue()
                                    .equals(one.values().get(entry.getKey()))));
            common.put(plan, new Tunables(shared));
        });
        return common;
    }

    private static String varying(Variant variant, Map<String, Tunables> common) {
        Map<String, Integer> values = new LinkedHashMap<>(variant.tunables().values());
        values.keySet().removeAll(common.get(variant.plan()).names());
        return spaced(new Tunables(values));
    }

    private static String spaced(Tunables tunables) {
        return tunables.toString().replace(',', ' ');
    }

    private static String number(double number) {
        return String.format(Locale.ROOT, number >= 100 ? "%.0f" : number >= 10 ? "%.1f" : "%.3f", number);
    }
}
