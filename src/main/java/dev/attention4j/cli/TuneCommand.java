package dev.attention4j.cli;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tuning;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Variant;
import dev.attention4j.opencl.tuning.ProblemClass;
import dev.attention4j.opencl.tuning.StorageName;
import dev.attention4j.opencl.tuning.TuningEntry;
import dev.attention4j.opencl.tuning.UserTuning;
import dev.attention4j.tuner.Tuner;
import dev.attention4j.tuner.TuningResult;
import dev.attention4j.tuner.TuningResult.Outcome;
import dev.attention4j.tuner.TuningResult.Trial;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tune}: finds the fastest plan and tunables for this device and keeps them for this user. */
@Command(
        name = "tune",
        description = {
            "Times the plans and tunables of an OpenCL device, checks each against the oracle, and keeps those that are clearly"
                    + " faster than the default for this user's later calls.",
            "A shape stands for its class: the storage type, the range that its head width is in, decode (up to 16"
                    + " queries), short (up to 512) or long, causal or not. Projections are one class: weights are packed for"
                    + " one set of tunables.",
            "Only OpenCL devices have tunables: --device cpu or oracle is refused."
        },
        footer = {"", "Exits 1 if a result was wrong."})
final class TuneCommand implements Callable<Integer> {
    @Mixin
    private DeviceOption device;

    @Option(
            names = "--shapes",
            paramLabel = "LIST",
            description =
                    "What to tune for: B.Hq.Hkv.Lq.Lk.D[.Dv], optionally followed by :causal, or gemm:rows.in.out for"
                            + " the projections of layers; several are separated by commas."
                            + " Default: nine shapes of a few milliseconds to a tenth of a second each and, without"
                            + " --plan, a projection.")
    private String shapes;

    @Option(
            names = "--dtype",
            paramLabel = "T",
            defaultValue = "float32",
            description = "The storage type of the tensors: float32, float16 or bfloat16. Default: float32.")
    private String dtype;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description = "Tunes one plan, for calls that ask for it or take it by themselves."
                    + " Default: auto, all plans against each other.")
    private String plan;

    @Option(names = "--dry-run", description = "Keeps nothing.")
    private boolean dryRun;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = json.screen();
        json.check();
        List<Shape> list = Tuner.shapes(shapes == null ? usualShapes(plan) : shapes);
        // Before the first is tuned, which may take minutes.
        list.forEach(shape -> Tuner.checkPlan(plan, shape));
        DType storage = StorageName.parse("--dtype", dtype);
        checkClasses(list, storage);
        EngineInfo info = device.choose();
        device.explainFallback(info, json.errors());
        if (!info.isOpenCl()) {
            throw new IllegalArgumentException(
                    "--device: " + info.id() + " has one way to compute, must be an OpenCL device");
        }
        out.println(Text.labelled("device", 8, info.id() + ", " + info.name() + ", driver " + info.driver()));
        // A plan that the device has not is refused here, and not after the first shape.
        device.open(info, plan).close();
        UserTuning user = UserTuning.of(Tuning.DEFAULT);
        if (!dryRun) {
            user.prepare();
        }
        boolean right = true;
        int kept = 0;
        List<Object> results = new ArrayList<>();
        for (Shape shape : list) {
            ProblemClass problems = Tuner.problems(shape, storage);
            out.println();
            out.println(shape + ", for " + problems);
            out.flush();
            TuningResult result = tune(info, shape, storage);
            TuningTable.print(result, shape.flops(), out);
            right &= result.allRight();
            boolean keeps = keep(result, info, shape, problems, user, out);
            kept += keeps ? 1 : 0;
            results.add(fields(result, shape, problems, keeps));
        }
        out.println();
        if (dryRun) {
            out.println("Nothing was kept (--dry-run).");
        } else if (kept == 0) {
            out.println("Nothing to keep: nothing is clearly faster than the defaults.");
        } else {
            out.println("Kept for engines opened from now on; delete this file to forget it:");
            out.println(user.file());
        }
        if (!right) {
            out.println("WRONG results, see above: the device's compiler or a kernel is at fault.");
        }
        Map<String, Object> found = JsonOption.fields(
                "device", info.id(),
                "name", info.name(),
                "driver", info.driver(),
                "type", StorageName.of(storage),
                "plan", plan,
                "shapes", results,
                "file", kept == 0 ? null : user.file());
        json.write(found);
        return right ? Main.OK : Main.CHECK_FAILED;
    }

    private static Map<String, Object> fields(TuningResult result, Shape shape, ProblemClass problems, boolean isKept) {
        return JsonOption.fields(
                "shape", shape,
                "stands_for", problems,
                "trials", result.trials().stream().map(TuneCommand::fields).toList(),
                "default", fields(result.untuned()),
                "fastest",
                        result.fastest()
                                .map(fastest -> fields(fastest.variant()))
                                .orElse(null),
                "gain", result.gain(),
                "turns_won", result.won(),
                "turns", result.turns(),
                "kept", isKept);
    }

    private static Map<String, Object> fields(Trial trial) {
        Map<String, Object> fields = fields(trial.variant());
        fields.put("outcome", trial.outcome().name().toLowerCase(Locale.ROOT));
        fields.put("milliseconds", trial.milliseconds());
        fields.put("ratio", trial.ratio());
        fields.put("detail", trial.detail());
        return fields;
    }

    private static Map<String, Object> fields(Variant variant) {
        return JsonOption.fields(
                "plan", variant.plan(), "tunables", variant.tunables().values());
    }

    /** Refuses two shapes of one class: the result for one would replace that for the other. */
    private static void checkClasses(List<Shape> shapes, DType storage) {
        Map<ProblemClass, Shape> seen = new HashMap<>();
        for (Shape shape : shapes) {
            Shape other = seen.put(Tuner.problems(shape, storage), shape);
            if (other != null) {
                throw new IllegalArgumentException("--shapes: " + other + " and " + shape + " stand for one class, "
                        + Tuner.problems(shape, storage) + ": the second's result would replace the first's");
            }
        }
    }

    /** Projections have no plans. */
    static String usualShapes(String plan) {
        return plan.equals(EngineOptions.AUTO) ? Tuner.USUAL : Tuner.USUAL_ATTENTION;
    }

    private TuningResult tune(EngineInfo info, Shape shape, DType storage) {
        try (Progress progress = Progress.start(shape.toString(), 0)) {
            return Tuner.tune(info, plan, shape, storage, new Tuner.Listener() {
                private boolean begun;

                @Override
                public void begin(int steps) {
                    progress.max(steps);
                }

                @Override
                public void step(String what) {
                    // The step that began before is done now.
                    if (begun) {
                        progress.step();
                    }
                    begun = true;
                    progress.say(what);
                }
            });
        }
    }

    /** After each shape, so that a run that is stopped early keeps what it found. */
    private boolean keep(
            TuningResult result, EngineInfo info, Shape shape, ProblemClass problems, UserTuning user, PrintWriter out)
            throws IOException {
        if (result.fastest().isEmpty()) {
            out.println("Nothing can be compared with the default, which failed.");
            return false;
        }
        Trial fastest = result.fastest().get();
        TuningEntry entry = new TuningEntry(
                info.name(),
                info.driver(),
                LocalDate.now(ZoneOffset.UTC),
                plan,
                problems,
                fastest.variant(),
                shape.toString(),
                Double.parseDouble(String.format(Locale.ROOT, "%.4g", fastest.milliseconds())),
                Double.parseDouble(String.format(Locale.ROOT, "%.3f", result.gain())));
        if (result.isClearlyBetter()) {
            if (!dryRun) {
                user.put(entry);
            }
            return !dryRun;
        }
        if (!dryRun && user.removeReplacedBy(entry)) {
            out.println("What was kept for it before is forgotten: the default is as good now.");
        }
        return false;
    }

    /** Prints the outcome of each variant of a shape: first those timed to the end, the fastest first. */
    private static final class TuningTable {
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
                        case TIMED -> trial.detail();
                        case SLOW -> trial.detail().isEmpty() ? "first look" : "first look, " + trial.detail();
                        case NOT_TRIED -> "not tried";
                        case FAILED -> "failed: " + trial.detail();
                        case WRONG -> "WRONG: " + trial.detail();
                    };
            return role.isEmpty() || detail.isEmpty() ? role + detail : role + ", " + detail;
        }

        /** The tunables that all variants of a plan share, if there are several; said once, they keep the rows short. */
        private static Map<String, Tunables> common(List<Trial> trials) {
            Map<String, List<Tunables>> byPlan = trials.stream()
                    .map(Trial::variant)
                    .collect(Collectors.groupingBy(
                            Variant::plan,
                            LinkedHashMap::new,
                            Collectors.mapping(Variant::tunables, Collectors.toList())));
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
}
