package dev.attention4j.bench;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.EngineOptions;
import dev.attention4j.bench.decoder.Decoder;
import dev.attention4j.bench.decoder.DecoderShape;
import dev.attention4j.bench.decoder.DecoderWeights;
import dev.attention4j.bench.decoder.Sampler;
import dev.attention4j.cli.Progress;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.opencl.tuning.StorageName;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lets a small language model write: how many tokens a second, and how much of the time is attention. */
@Command(
        name = "Decode",
        description =
                "Generates tokens with a decoder-only model, of random weights or a file's, over a cache of keys and values.",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "2:bad usage or input"})
public final class Decode implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = "best",
            description = "An index or id as 'devices' prints it, or a part of a name. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(
            names = "--plan",
            paramLabel = "P",
            defaultValue = EngineOptions.AUTO,
            description = "The plan of attention. Default: ${DEFAULT-VALUE}.")
    private String plan;

    @Option(
            names = "--weights",
            paramLabel = "FILE",
            description =
                    "A .safetensors file with Llama's names; sizes but --head-dim are its own. Default: random weights.")
    private Path weights;

    @Option(names = "--layers", paramLabel = "N", defaultValue = "6", description = "Default: ${DEFAULT-VALUE}.")
    private int layers;

    @Option(names = "--width", paramLabel = "N", defaultValue = "512", description = "Default: ${DEFAULT-VALUE}.")
    private int width;

    @Option(names = "--heads", paramLabel = "N", defaultValue = "8", description = "Default: ${DEFAULT-VALUE}.")
    private int heads;

    @Option(
            names = "--key-value-heads",
            paramLabel = "N",
            defaultValue = "2",
            description = "Divides the heads. Default: ${DEFAULT-VALUE}.")
    private int keyValueHeads;

    @Option(names = "--head-dim", paramLabel = "N", defaultValue = "64", description = "Default: ${DEFAULT-VALUE}.")
    private int headDim;

    @Option(
            names = "--hidden",
            paramLabel = "N",
            defaultValue = "1408",
            description = "The feed-forward's width. Default: ${DEFAULT-VALUE}.")
    private int hidden;

    @Option(names = "--vocabulary", paramLabel = "N", defaultValue = "8192", description = "Default: ${DEFAULT-VALUE}.")
    private int vocabulary;

    @Option(
            names = "--rotary-base",
            paramLabel = "B",
            defaultValue = "10000",
            description = "Default: ${DEFAULT-VALUE}.")
    private double rotaryBase;

    @Option(names = "--epsilon", paramLabel = "E", defaultValue = "1e-5", description = "Default: ${DEFAULT-VALUE}.")
    private double epsilon;

    @Option(
            names = "--texts",
            paramLabel = "N",
            defaultValue = "1",
            description = "Texts that grow side by side. Default: ${DEFAULT-VALUE}.")
    private int texts;

    @Option(
            names = "--prompt",
            paramLabel = "N",
            defaultValue = "64",
            description = "Tokens of each text to begin with, drawn at random. Default: ${DEFAULT-VALUE}.")
    private int prompt;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "Tokens to generate for each text, 2 or more. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(
            names = "--cache",
            paramLabel = "T",
            defaultValue = "float16",
            description = "How keys and values are stored. Default: ${DEFAULT-VALUE}.")
    private String cache;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0 takes the likeliest token. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "N",
            defaultValue = "40",
            description = "Chooses among the N likeliest tokens; 0 for all. Default: ${DEFAULT-VALUE}.")
    private int topK;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Of random weights, prompts and choices. Default: ${DEFAULT-VALUE}.")
    private long seed;

    private Decode() {}

    /** Runs the model and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Launch.main(new Decode(), args);
    }

    /** As {@link #main}, but gives the exit code. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return Launch.run(new Decode(), out, err, args);
    }

    @Override
    public Integer call() throws IOException {
        checkAtLeast("--texts", texts, 1);
        checkAtLeast("--prompt", prompt, 1);
        checkAtLeast("--tokens", tokens, 2);
        DType cacheType = StorageName.parse("--cache", cache);
        Sampler sampler = new Sampler(temperature, topK, seed);
        SafetensorsFile file = weights == null ? null : Safetensors.read(weights);
        DecoderShape shape = file == null
                ? new DecoderShape(
                        vocabulary, width, layers, heads, keyValueHeads, headDim, hidden, rotaryBase, epsilon)
                : DecoderShape.of(file, headDim, rotaryBase, epsilon);
        PrintWriter out = spec.commandLine().getOut();
        try (AttentionEngine engine = AttentionEngine.open(device, EngineOptions.DEFAULT.withPlan(plan))) {
            out.println("engine    " + engine.info().id() + ", " + engine.info().name());
            out.printf(
                    Locale.ROOT,
                    "model     %s: %.1f million weights from %s%n",
                    shape,
                    shape.weights() / 1e6,
                    file == null ? "seed " + seed : weights.getFileName().toString());
            DecoderWeights loaded = file == null ? DecoderWeights.random(shape, seed) : DecoderWeights.of(file, shape);
            try (Decoder decoder = Decoder.open(engine, shape, loaded, texts, prompt + tokens, cacheType)) {
                out.printf(
                        Locale.ROOT,
                        "cache     %s, %d tokens of %d text%s: %.1f MB%n",
                        cache,
                        prompt + tokens,
                        texts,
                        texts == 1 ? "" : "s",
                        decoder.cacheBytes() / 1e6);
                out.flush();
                write(decoder, shape, sampler, out);
            }
        }
        return Compare.OK;
    }

    private static void checkAtLeast(String option, int number, int least) {
        if (number < least) {
            throw new IllegalArgumentException(option + ": " + number + ", must be " + least + " or more");
        }
    }

    private void write(Decoder decoder, DecoderShape shape, Sampler sampler, PrintWriter out) {
        SplittableRandom random = new SplittableRandom(seed);
        int[][] given = new int[texts][];
        for (int text = 0; text < texts; text++) {
            given[text] = random.ints(prompt, 0, shape.vocabulary()).toArray();
        }
        int[][] written = new int[texts][tokens];
        double[] stepMs = new double[tokens - 1];
        try (Progress progress = Progress.start("decoding", tokens + 1)) {
            // Kernels are built by a prompt that is taken back.
            progress.say("first calls");
            decoder.logits(given, 1);
            decoder.truncate(0);
            progress.step();
            Share share = new Share(decoder);
            float[] logits = decoder.logits(given, 1);
            double promptMs = share.ms();
            progress.hide();
            out.printf(
                    Locale.ROOT,
                    "prompt    %d tokens in %.1f ms: %.0f tokens/s, attention %.0f %%%n",
                    texts * prompt,
                    promptMs,
                    texts * prompt / promptMs * 1e3,
                    share.percent());
            progress.show();
            progress.step();
            for (int n = 0; n < tokens; n++) {
                int[][] next = new int[texts][1];
                for (int text = 0; text < texts; text++) {
                    next[text][0] = sampler.next(logits, text * shape.vocabulary(), shape.vocabulary());
                    written[text][n] = next[text][0];
                }
                if (n == 0) {
                    share = new Share(decoder);
                }
                if (n < tokens - 1) {
                    long start = System.nanoTime();
                    logits = decoder.logits(next, 1);
                    stepMs[n] = (System.nanoTime() - start) / 1e6;
                    progress.step();
                }
            }
            progress.hide();
            Arrays.sort(stepMs);
            out.printf(
                    Locale.ROOT,
                    "decoding  %d tokens in %.1f ms: %.1f tokens/s, a step %.2f ms (median), attention %.0f %%%n",
                    texts * (tokens - 1),
                    share.ms(),
                    texts * (tokens - 1) / share.ms() * 1e3,
                    stepMs[stepMs.length / 2],
                    share.percent());
        }
        for (int text = 0; text < texts; text++) {
            out.println("text " + text + "    "
                    + Arrays.stream(written[text]).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
        }
        out.flush();
    }

    /** The time since it began, and how much of it was attention. */
    private static final class Share {
        private final Decoder decoder;
        private final double attention;
        private final long start = System.nanoTime();

        Share(Decoder decoder) {
            this.decoder = decoder;
            attention = decoder.attentionSeconds();
        }

        double ms() {
            return (System.nanoTime() - start) / 1e6;
        }

        double percent() {
            return 1e5 * (decoder.attentionSeconds() - attention) / ms();
        }
    }
}
