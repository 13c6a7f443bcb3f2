package dev.attention4j.cli;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.opencl.tuning.StorageName;
import dev.attention4j.reference.Deviation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code attend}: attention on the tensors of a file. */
@Command(
        name = "attend",
        description = {
            "Runs attention on the tensors query, key and value (and mask, bias) of a safetensors file.",
            "query is [batch, heads, length, head dim]; key and value may have fewer heads; mask is BOOL,"
                    + " true = attend; bias is added to the scores."
        })
final class AttendCommand implements Callable<Integer> {
    private static final int LABEL = 9;
    private static final List<String> INPUTS = List.of("query", "key", "value", "mask", "bias");
    private static final long TIMING_NANOS = 1_000_000_000L;
    /** A first call that took longer is not repeated at all. */
    private static final long SLOW_NANOS = 10_000_000_000L;

    private static final int MOST_CALLS = 9;

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "IN.safetensors", description = "The file with the tensors.")
    private Path in;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "OUT",
            description = "Writes output (and weights, log_sum_exp) to this safetensors file.")
    private Path out;

    @Mixin
    private DeviceOption device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description =
                    "How the engine computes: rows, decode, tiles or staged on an OpenCL device, blocked on the cpu, loops on"
                            + " the oracle; tiles may follow, all of the plan's: rows:VECTOR_WIDTH=8,... Default: auto.")
    private String plan;

    @Mixin
    private AttentionOptions options;

    @Option(
            names = "--verify",
            description = "Compares with the oracle in double precision; exit code 1 if the result is wrong.")
    private boolean verify;

    @Override
    public Integer call() throws IOException {
        PrintWriter screen = spec.commandLine().getOut();
        AttentionBuilder builder = options.builder();
        EngineInfo info = device.choose();
        SafetensorsFile file = Safetensors.read(in);
        checkOutput();
        for (String name : file.tensors().keySet()) {
            // Left out without a word, a misspelt mask would be a wrong result.
            if (!INPUTS.contains(name)) {
                spec.commandLine()
                        .getErr()
                        .println("attention4j: the tensor \"" + name + "\" of " + in + " is not used; used are "
                                + String.join(", ", INPUTS));
            }
        }
        Tensor query = file.tensor("query");
        Tensor key = file.tensor("key");
        Tensor value = file.tensor("value");
        options.complete(builder, query);
        file.find("mask").ifPresent(builder::mask);
        file.find("bias").ifPresent(builder::bias);
        Attention attention = builder.build();
        AttentionProblem problem = AttentionProblem.of(query, key, value, attention);

        device.explainFallback(info, spec.commandLine().getErr());
        for (String name : INPUTS) {
            file.find(name).ifPresent(tensor -> line(screen, name, describe(tensor)));
        }
        line(screen, "options", attention.toString());
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT.withPlan(plan))) {
            line(screen, "engine", info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info));
            line(screen, "plan", engine.explain(problem));
            try (AttentionResult result = timed(engine, problem, query, key, value, screen)) {
                summarise(result.output(), "output", screen);
                if (attention.wantsWeights()) {
                    summarise(result.weights(), "weights", screen);
                }
                if (attention.wantsLogSumExp()) {
                    summarise(result.logSumExp(), "lse", screen);
                }
                boolean right = !verify || verified(problem, query, key, value, result, screen);
                write(result, info, attention, screen);
                return right ? Main.OK : Main.CHECK_FAILED;
            }
        }
    }

    /** Before anything long runs. */
    private void checkOutput() throws IOException {
        OutputFile.checkReplaced("--output", out);
        if (out != null && Files.exists(out) && Files.isSameFile(out, in)) {
            throw new IllegalArgumentException("--output: " + out + ", must be another file than the input");
        }
    }

    /** Calls once, then again for about a second, and prints the first time and the median of the others. */
    private static AttentionResult timed(
            AttentionEngine engine,
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            PrintWriter screen) {
        long start = System.nanoTime();
        AttentionResult result = engine.attend(query, key, value, problem.attention());
        Stopwatch again = new Stopwatch();
        long first = System.nanoTime() - start;
        // The first call builds kernels and waits for the JIT, so at least one more is timed.
        while (again.count() < MOST_CALLS
                && first < SLOW_NANOS
                && (again.count() == 0 || System.nanoTime() - start - first < TIMING_NANOS)) {
            again.time(
                    () -> engine.attend(query, key, value, problem.attention()).close());
        }
        String text = Text.milliseconds(first / 1e6) + (again.count() > 0 ? "" : " (one call)");
        if (again.count() > 0) {
            text = Text.milliseconds(again.median())
                    + String.format(
                            Locale.ROOT,
                            " (%.3g GFLOP/s), median of %d %s, after a first of %s",
                            problem.flops() / again.median() / 1e6,
                            again.count(),
                            again.count() == 1 ? "call" : "calls",
                            text);
        }
        line(screen, "time", text);
        return result;
    }

    private static boolean verified(
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            AttentionResult result,
            PrintWriter screen) {
        boolean right = true;
        for (Deviation deviation : Verification.of(problem, query, key, value, result)) {
            line(screen, "verify", deviation.toString());
            right &= deviation.isAllowed();
        }
        return right;
    }

    private void write(AttentionResult result, EngineInfo info, Attention attention, PrintWriter screen)
            throws IOException {
        if (out == null) {
            return;
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("output", result.output());
        if (attention.wantsWeights()) {
            tensors.put("weights", result.weights());
        }
        if (attention.wantsLogSumExp()) {
            tensors.put("log_sum_exp", result.logSumExp());
        }
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("engine", info.id() + " " + info.name());
        metadata.put("plan", result.plan());
        metadata.put("attention", attention.toString());
        Safetensors.write(out, tensors, metadata);
        line(screen, "written", out + " (" + String.join(", ", tensors.keySet()) + ")");
    }

    private static void summarise(Tensor tensor, String name, PrintWriter screen) {
        double sum = 0;
        double least = Double.POSITIVE_INFINITY;
        double largest = Double.NEGATIVE_INFINITY;
        long strange = 0;
        double[] elements = tensor.toDoubleArray();
        for (double element : elements) {
            if (!Double.isFinite(element)) {
                strange++;
                continue;
            }
            sum += element;
            least = Math.min(least, element);
            largest = Math.max(largest, element);
        }
        String numbers = elements.length == strange
                ? "no finite number"
                : String.format(
                        Locale.ROOT, "%.4g to %.4g, mean %.4g", least, largest, sum / (elements.length - strange));
        line(
                screen,
                name,
                describe(tensor) + ": " + numbers + (strange > 0 ? ", " + strange + " NaN or infinite" : ""));
    }

    private static String describe(Tensor tensor) {
        return Text.shape(tensor.shape()) + " " + StorageName.of(tensor.dtype());
    }

    private static void line(PrintWriter screen, String label, String text) {
        screen.println(Text.labelled(label, LABEL, text));
    }
}
