package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.cli.Progress;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.tuning.StorageName;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Times engines and peers side by side, checks every result, and prints, writes and draws what came of it. */
@Command(
        name = "Compare",
        description = "Times attention4j's engines and what users would pick instead, side by side.",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "1:an engine failed or was wrong", "2:bad usage or input"})
public final class Compare implements Callable<Integer> {
    static final int OK = 0;
    static final int ENGINE_FAILED = 1;

    private static final int LEAST_ROUNDS = 7;
    private static final String OPENCL = "opencl";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--shapes",
            paramLabel = "LIST",
            defaultValue = Grid.WORD,
            description =
                    "B.Hq.Hkv.Lq.Lk.D[.Dv] followed by :causal, :mask or a ready-made expression such as :score-alibi or"
                            + " :mask-if-documents, then :backward (gradients) or :training (forward and backward), layer:B.T.width.heads (a whole multi-head"
                            + " attention layer), gemm:rows.in.out (one projection), comma-separated; or grid. Default: grid.")
    private String shapes;

    @Option(
            names = "--engines",
            paramLabel = "LIST",
            description = "opencl (every OpenCL device except emulators, or that of --device), cpu, or ids as 'devices'"
                    + " prints them, comma-separated. Default: opencl,cpu.")
    private String engines;

    @Option(
            names = "--peers",
            paramLabel = "LIST",
            description =
                    "pytorch-2.10, pytorch-2.7, onnxruntime, plain-java, comma-separated, or none. Default: all that load.")
    private String peers;

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "The OpenCL device: an index or id as 'devices' prints it, or a part of its name.")
    private String device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = ContenderOpener.ALL,
            description = "A plan's name, auto (each engine's own choice), or all. Default: all.")
    private String plan;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "7",
            description = "The number of rounds, 7 or more. Default: 7.")
    private int rounds;

    @Option(
            names = "--dtype",
            paramLabel = "T",
            defaultValue = "float32",
            description = "The storage type of the tensors: float32, float16 or bfloat16. Default: float32.")
    private String dtype;

    @Option(
            names = "--slowest",
            paramLabel = "SECONDS",
            defaultValue = "1.5",
            description =
                    "The most that a call may take; slower engines and peers are left out on that shape. Default: 1.5.")
    private double slowest;

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "6",
            description =
                    "How long calls shorter than 6 ms are warmed up, others a sixth of it: less is quicker and less exact. Default: 6.")
    private double warmUp;

    @Option(names = "--json", paramLabel = "FILE", description = "Writes all results to FILE as JSON.")
    private Path json;

    @Option(names = "--chart", paramLabel = "FILE", description = "Draws a chart to FILE, an .svg.")
    private Path chart;

    private Compare() {}

    /** Runs the comparison and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Launch.main(new Compare(), args);
    }

    /** As {@link #main}, but gives the exit code. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return Launch.run(new Compare(), out, err, args);
    }

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        List<Shape> cases = Grid.parseList(shapes);
        DType storage = StorageName.parse("--dtype", dtype);
        if (rounds < LEAST_ROUNDS) {
            throw new IllegalArgumentException("--rounds: " + rounds + ", must be " + LEAST_ROUNDS
                    + " or more: a median of fewer is not worth its name");
        }
        if (!(slowest > 0)) {
            throw new IllegalArgumentException("--slowest: " + slowest + ", must be above 0");
        }
        if (!(warmUp >= 0 && warmUp < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException("--warm-up: " + warmUp + ", must be finite and 0 or more");
        }
        checkFile("--json", json);
        checkFile("--chart", chart);
        if (chart != null) {
            ResultChart.checkName(chart);
        }
        int threads = Runtime.getRuntime().availableProcessors();
        List<EngineInfo> chosen = engines();
        ContenderOpener opener = new ContenderOpener(chosen, plan, peers, threads, this::note);
        ClDevice ceiling = ceilingDevice(chosen);
        RoundTiming.Rules rules = new RoundTiming.Rules(rounds, 1e3 * warmUp, 1e3 * slowest, ceiling);
        try (Contenders contenders = Contenders.open(cases, opener, rules)) {
            Report report = new Report(
                    primary(chosen), storage, threads, rounds, chosen, contenders.peers(), rooflines(chosen));
            header(out, chosen, report, threads);
            compare(cases, storage, contenders, report, chosen, out);
            boolean failed =
                    report.all().stream().anyMatch(m -> !m.peer() && m.outcome() == Measurement.Outcome.FAILED);
            return failed ? ENGINE_FAILED : OK;
        }
    }

    /** The first OpenCL device compared. */
    private static ClDevice ceilingDevice(List<EngineInfo> chosen) {
        return chosen.stream()
                .flatMap(engine -> Roofline.device(engine).stream())
                .findFirst()
                .orElse(null);
    }

    private void compare(
            List<Shape> cases,
            DType storage,
            Contenders contenders,
            Report report,
            List<EngineInfo> chosen,
            PrintWriter out)
            throws IOException {
        ResultTable table = new ResultTable(out, report);
        long steps = cases.stream()
                .mapToLong(shape -> RoundTiming.steps(contenders.size(shape), rounds))
                .sum();
        try (Progress progress = Progress.start("comparing", steps)) {
            for (Shape shape : cases) {
                report.add(shape, measure(contenders, shape, storage, progress));
                report.raise(rooflines(chosen));
                progress.hide();
                table.print(shape);
                progress.show();
                // After each shape: a run that is stopped early leaves what there is.
                if (json != null) {
                    report.write(json);
                }
            }
        }
        table.printSummary();
        printRooflines(report, out);
        if (chart != null) {
            ResultChart.write(report.toMap(), chart);
        }
    }

    private static List<Measurement> measure(Contenders contenders, Shape shape, DType storage, Progress progress) {
        try {
            return contenders.run(shape, storage, progress);
        } catch (OutOfMemoryError e) {
            // Of the inputs or the oracle: a contender's is its own failure.
            throw new IllegalArgumentException(
                    "shape: \"" + shape + "\" does not fit into this JVM's memory, which -Xmx and"
                            + " -XX:MaxDirectMemorySize set: " + RoundTiming.message(e),
                    e);
        }
    }

    // ---- who takes part

    private List<EngineInfo> engines() {
        Set<EngineInfo> chosen = new LinkedHashSet<>();
        EngineInfo named = device == null ? null : Engines.resolve(device);
        if (named != null && engines != null && !List.of(engines.split(",", -1)).contains(OPENCL)) {
            chosen.add(named);
        }
        String list = engines != null ? engines : named != null && !named.isOpenCl() ? named.id() : OPENCL + ",cpu";
        for (String word : list.split(",", -1)) {
            if (!word.strip().equals(OPENCL)) {
                chosen.add(Engines.resolve(word.strip()));
            } else if (named != null) {
                chosen.add(named);
            } else {
                List<EngineInfo> devices = Engines.list().stream()
                        .filter(info -> info.isOpenCl() && info.kind() != EngineInfo.Kind.EMULATOR)
                        .toList();
                if (devices.isEmpty()) {
                    noOpenCl();
                }
                chosen.addAll(devices);
            }
        }
        return List.copyOf(chosen);
    }

    private void noOpenCl() {
        if (engines != null) {
            throw new IllegalArgumentException("--engines: opencl, but there is no OpenCL device here");
        }
        note("there is no OpenCL device here ('doctor' of the command line says why): only the CPU is compared");
    }

    // ---- what is said before and beside the table

    private static EngineInfo primary(List<EngineInfo> chosen) {
        return chosen.stream().filter(EngineInfo::isOpenCl).findFirst().orElse(chosen.get(0));
    }

    private Map<String, Roofline> rooflines(List<EngineInfo> chosen) {
        Map<String, Roofline> rooflines = new LinkedHashMap<>();
        for (EngineInfo engine : chosen) {
            if (engine.isOpenCl()) {
                roofline(engine).ifPresent(roofline -> rooflines.put(engine.id(), roofline));
            }
        }
        // Java has no peak of its own: the processor's is that of its OpenCL driver, where it has one.
        Optional<EngineInfo> processor = Engines.list().stream()
                .filter(info -> info.kind() == EngineInfo.Kind.OPENCL_CPU)
                .findFirst();
        if (processor.isPresent()) {
            Roofline known = rooflines.get(processor.get().id());
            Optional<Roofline> host = known != null ? Optional.of(known) : roofline(processor.get());
            host.ifPresent(roofline -> rooflines.put("", roofline));
        }
        return rooflines;
    }

    private Optional<Roofline> roofline(EngineInfo engine) {
        try {
            return Roofline.device(engine).map(Roofline::measure);
        } catch (RuntimeException e) {
            note("the peak of " + engine.id() + " cannot be measured: " + RoundTiming.message(e));
            return Optional.empty();
        }
    }

    private void header(PrintWriter out, List<EngineInfo> chosen, Report report, int threads) {
        for (EngineInfo engine : chosen) {
            out.println(engine.id() + "  " + engine.name() + ", " + engine.driver());
        }
        report.peers().forEach((peer, builtWith) -> out.println(peer + "  " + builtWith));
        printRooflines(report, out);
        out.println(threads + " threads each, " + rounds + " rounds, " + dtype);
        out.flush();
    }

    private static void printRooflines(Report report, PrintWriter out) {
        report.rooflines()
                .forEach((id, roofline) ->
                        out.println((id.isEmpty() ? "host" : id) + "  " + RooflineCommand.line(roofline)));
    }

    private void note(String text) {
        spec.commandLine().getErr().println("Compare: " + text);
        spec.commandLine().getErr().flush();
    }

    /** Refuses a file that cannot be written before anything long runs; null is none. */
    public static void checkFile(String option, Path file) {
        if (file == null) {
            return;
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(file) || !Files.isWritable(folder)) {
            throw new IllegalArgumentException(
                    option + ": " + file + ", must be a file that may be written, in a directory that exists");
        }
    }
}
