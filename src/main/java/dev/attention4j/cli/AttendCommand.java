package dev.attention4j.cli;

import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.measure.Timing;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code attend}: attention on the tensors of a file. */
@Command(
        name = "attend",
        description = {
            "Runs attention on the tensors query, key and value (and mask, bias, query_mask) of a safetensors file.",
            "query is [batch, heads, length, head dim]; key and value may have fewer heads; mask is BOOL or whole"
                    + " numbers, 1 = attend, 0 = masked; bias is added to the scores; query_mask is [batch, length], 0 = this query sees"
                    + " no key."
        })
final class AttendCommand implements Callable<Integer> {
    private static final long TIMING_NANOS = 1_000_000_000L;
    /** A first call that took longer is not repeated at all. */
    private static final long SLOW_NANOS = 10_000_000_000L;

    private static final int MOST_CALLS = 9;

    @Parameters(index = "0", paramLabel = "IN.safetensors", description = "The file with the tensors.")
    private Path in;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "OUT",
            description = "Writes output (and weights, log_sum_exp) to this safetensors file.")
    private Path out;

    @Option(
            names = "--page",
            paramLabel = "FILE",
            description =
                    "Draws the weights of all heads, and the mask, as FILE, an HTML page to be opened in a browser;"
                            + " computes the weights for it. For small problems: at most 1,048,576 weights, 1,024 queries and keys.")
    private Path page;

    @Mixin
    private DeviceOption device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description =
                    "How the engine computes: rows, decode, tiles or staged on an OpenCL device, blocked on the cpu, loops on"
                            + " the oracle; tunables may follow, all of the plan's: rows:VECTOR_WIDTH=8,... Default: auto.")
    private String plan;

    @Mixin
    private AttentionOptions options;

    @Option(
            names = "--verify",
            description = "Compares with the oracle in double precision; exit code 1 if the result is wrong.")
    private boolean verify;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() throws IOException {
        AttendRecord found = new AttendRecord(json.screen());
        AttentionBuilder builder = options.builder();
        if (page != null) {
            builder.weights(true);
        }
        OutputFile.checkReplaced("--output", out);
        OutputFile.check("--page", page);
        json.check();
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("the input", in);
        files.put("--output", out);
        files.put("--page", page);
        files.put("--json", json.file());
        OutputFile.checkDistinct(files);
        EngineInfo info = device.choose();
        AttendInputs inputs = AttendInputs.read(in, options.tables());
        PrintWriter err = json.errors();
        inputs.unused().ifPresent(unused -> err.println("attention4j: " + unused));
        Tensor query = inputs.tensor("query");
        Tensor key = inputs.tensor("key");
        Tensor value = inputs.tensor("value");
        Attention attention = options.complete(builder, inputs);
        AttentionProblem problem =
                AttentionOptions.inOptionsTerms(() -> AttentionProblem.of(query, key, value, attention));
        if (page != null) {
            AttendPage.check(problem);
        }

        device.explainFallback(info, err);
        found.inputs(in, inputs, attention);
        try (AttentionEngine engine = device.open(info, plan)) {
            found.engine(info, engine.explain(problem).toString());
            try (AttentionResult result = timed(engine, problem, query, key, value, found)) {
                Map<String, Tensor> results = results(result, attention);
                results.forEach(found::result);
                boolean right = !verify || found.verified(Verification.of(problem, query, key, value, result));
                write(results, result.plan(), info, attention, found);
                if (page != null) {
                    AttendPage.write(page, in, problem, result.weights());
                    found.drawn(page);
                }
                json.write(found.fields());
                return right ? Main.OK : Main.CHECK_FAILED;
            }
        }
    }

    /** Calls once, then again for about a second. */
    private static AttentionResult timed(
            AttentionEngine engine,
            AttentionProblem problem,
            Tensor query,
            Tensor key,
            Tensor value,
            AttendRecord found) {
        long start = System.nanoTime();
        AttentionResult result = engine.attend(query, key, value, problem.attention());
        List<Double> again = new ArrayList<>();
        long first = System.nanoTime() - start;
        // The first call builds kernels and waits for the JIT, so at least one more is timed.
        while (again.size() < MOST_CALLS
                && first < SLOW_NANOS
                && (again.size() == 0 || System.nanoTime() - start - first < TIMING_NANOS)) {
            again.add(Timing.once(
                    () -> engine.attend(query, key, value, problem.attention()).close()));
        }
        found.time(first / 1e6, again, problem.flops());
        return result;
    }

    /** All that was asked for, by the names in the file. */
    private static Map<String, Tensor> results(AttentionResult result, Attention attention) {
        Map<String, Tensor> results = new LinkedHashMap<>();
        results.put("output", result.output());
        if (attention.wantsWeights()) {
            results.put("weights", result.weights());
        }
        if (attention.wantsLogSumExp()) {
            results.put("log_sum_exp", result.logSumExp());
        }
        return results;
    }

    private void write(
            Map<String, Tensor> results, String usedPlan, EngineInfo info, Attention attention, AttendRecord found)
            throws IOException {
        if (out == null) {
            return;
        }
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("engine", info.id() + " " + info.name());
        metadata.put("plan", usedPlan);
        metadata.put("attention", attention.toString());
        OutputFile.write(out, file -> Safetensors.write(file, results, metadata));
        found.written(out, results.keySet());
    }
}
