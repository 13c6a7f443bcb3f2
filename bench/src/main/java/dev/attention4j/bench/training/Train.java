package dev.attention4j.bench.training;

import dev.attention4j.AttentionEngine;
import dev.attention4j.Tensor;
import dev.attention4j.bench.Compare;
import dev.attention4j.bench.Launch;
import dev.attention4j.bench.WholeFile;
import dev.attention4j.bench.decoder.Sampler;
import dev.attention4j.cli.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains a small transformer on real text: one that invents words, or one that tells where a text is from. */
@Command(
        name = "Train",
        description =
                "Trains a small transformer on the text of a Debian package. 'words' learns a list of words letter by letter"
                        + " and invents new ones; 'texts' learns from which file of fortune's a text is.",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "2:bad usage or input"})
public final class Train implements Callable<Integer> {
    private static final Path WORD_LIST = Path.of("/usr/share/dict/words");
    private static final Path FORTUNES = Path.of("/usr/share/games/fortunes");
    private static final List<String> CLASSES =
            List.of("computers", "definitions", "politics", "science", "songs-poems");
    private static final double WORDS_HELD_OUT = 0.05;
    private static final double TEXTS_HELD_OUT = 0.2;
    private static final int COMPARED = 50;
    private static final int SAVED_EACH = 100;
    private static final int[] TABLE = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500, 2000, 5000, 10_000};

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "TASK", description = "words or texts.")
    private String taskName;

    @Option(
            names = "--text",
            paramLabel = "FILE",
            split = ",",
            description =
                    "words: a file with a word on each line; /usr/share/dict/words of the package wamerican by default. texts:"
                            + " files of texts with a line %% between them, each a class; some of /usr/share/games/fortunes of the package"
                            + " fortunes by default.")
    private List<Path> files = List.of();

    @Option(
            names = "--device",
            paramLabel = "ID",
            defaultValue = "best",
            description = "An index or id as 'devices' prints it, or a part of a name. Default: ${DEFAULT-VALUE}.")
    private String device;

    @Option(names = "--steps", paramLabel = "N", description = "Default: 1000 for words, 400 for texts.")
    private Integer steps;

    @Option(names = "--batch", paramLabel = "N", description = "Words or texts of a step. Default: 64 words, 32 texts.")
    private Integer batch;

    @Option(names = "--layers", paramLabel = "N", defaultValue = "2", description = "Default: ${DEFAULT-VALUE}.")
    private int layers;

    @Option(names = "--width", paramLabel = "N", description = "Default: 128 for words, 64 for texts.")
    private Integer width;

    @Option(names = "--heads", paramLabel = "N", defaultValue = "4", description = "Default: ${DEFAULT-VALUE}.")
    private int heads;

    @Option(names = "--hidden", paramLabel = "N", description = "The feed-forward's width. Default: 4 times the width.")
    private Integer hidden;

    @Option(
            names = "--learning-rate",
            paramLabel = "R",
            description = "The highest. Default: 0.003 for words, 0.001 for texts.")
    private Double learningRate;

    @Option(
            names = "--weight-decay",
            paramLabel = "D",
            defaultValue = "0.01",
            description = "Of AdamW. Default: ${DEFAULT-VALUE}.")
    private double weightDecay;

    @Option(
            names = "--dropout",
            paramLabel = "P",
            defaultValue = "0",
            description = "The share of attention's weights that is dropped. Default: ${DEFAULT-VALUE}.")
    private double dropout;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Of first weights, order and choices. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--checkpoint",
            paramLabel = "FILE",
            description = "Write weights, the optimizer's state and losses to FILE, each " + SAVED_EACH
                    + " steps and at the end, as safetensors.")
    private Path checkpoint;

    @Option(
            names = "--resume",
            paramLabel = "FILE",
            description = "Go on from a checkpoint, with the options that it had.")
    private Path resume;

    @Option(names = "--stop-after", paramLabel = "N", description = "Stop after step N, to be resumed.")
    private Integer stopAfter;

    @Option(names = "--chart", paramLabel = "FILE", description = "Draw the loss, as .svg.")
    private Path chart;

    @Option(
            names = "--pytorch",
            description = "Train the same model in PyTorch as well, and compare the losses. Needs --dropout 0.")
    private boolean pytorch;

    @Option(
            names = "--invent",
            paramLabel = "N",
            defaultValue = "60",
            description = "Words to invent. Default: ${DEFAULT-VALUE}.")
    private int invent;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0.8",
            description = "Of invented words: 0 takes the likeliest letter. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    private Train() {}

    /** Trains and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Launch.main(new Train(), args);
    }

    /** As {@link #main}, but gives the exit code. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return Launch.run(new Train(), out, err, args);
    }

    @Override
    public Integer call() throws IOException {
        boolean isWords = isWords();
        check();
        List<String> words = isWords ? Texts.words(files.isEmpty() ? WORD_LIST : files.get(0)) : List.of();
        Examples examples = isWords
                ? Texts.letters(words, WORDS_HELD_OUT, seed)
                : Texts.sentences(files.isEmpty() ? fortunes() : files, TEXTS_HELD_OUT, seed);
        int wide = or(width, isWords ? 128 : 64);
        TransformerShape shape = new TransformerShape(
                examples.tokens().size(),
                examples.longest(),
                wide,
                heads,
                layers,
                or(hidden, 4 * wide),
                isWords ? examples.tokens().size() : examples.classes().size(),
                isWords);
        Training.Options options = new Training.Options(
                shape,
                or(steps, isWords ? 1000 : 400),
                or(batch, isWords ? 64 : 32),
                learningRate == null ? (isWords ? 3e-3 : 1e-3) : learningRate,
                weightDecay,
                dropout,
                seed);
        try (AttentionEngine engine = AttentionEngine.open(device);
                Training training = resume == null
                        ? Training.start(engine, options, examples)
                        : Training.resume(engine, options, examples, resume)) {
            say("engine    %s, %s", engine.info().id(), engine.info().name());
            say(
                    "model     %s: %d blocks, width %d, %d heads, %.2f million weights",
                    isWords ? "decoder" : "encoder", shape.layers(), wide, heads, shape.count() / 1e6);
            say(
                    "text      %,d %s to learn from, %,d held out; %,d %s",
                    examples.training().size(),
                    isWords ? "words" : "texts",
                    examples.heldOut().size(),
                    shape.vocabulary(),
                    isWords
                            ? "letters with the end of a word"
                            : "words with a number, " + shape.outputs() + " classes");
            double perStep = train(training, options);
            List<Float> ofTorch = pytorch ? torch(training, options, examples, perStep) : List.of();
            say("held out  loss %.4f", training.heldOutLoss());
            if (chart != null) {
                String title =
                        isWords ? "Loss while learning a list of words" : "Loss while learning where texts are from";
                int smooth = Math.max(1, training.losses().size() / 75);
                String subtitle = String.format(
                        Locale.ROOT,
                        "%.2f million weights, %d %s a step%s",
                        shape.count() / 1e6,
                        options.batch(),
                        isWords ? "words" : "texts",
                        smooth > 1 ? "; the mean of the last " + smooth + " steps" : "");
                WholeFile.write(chart, LossChart.svg(title, subtitle, training.losses(), ofTorch, smooth));
                say("chart     %s", chart);
            }
            if (isWords) {
                invent(training.model(), examples, words);
            } else {
                say(HeldOutAnswers.of(training.model(), examples, options.batch()));
            }
        }
        return 0;
    }

    private boolean isWords() {
        if (taskName.equals("words") || taskName.equals("texts")) {
            return taskName.equals("words");
        }
        throw new IllegalArgumentException("TASK: " + taskName + ", must be words or texts");
    }

    private void check() {
        if (pytorch && (dropout > 0 || resume != null)) {
            throw new IllegalArgumentException(
                    "--pytorch: with " + (resume == null ? "--dropout " + dropout : "--resume")
                            + ", must be with dropout 0 and from the first step on");
        }
        TransformerShape.atLeast("--invent", invent, 0);
        if (stopAfter != null) {
            TransformerShape.atLeast("--stop-after", stopAfter, 1);
        }
        if (chart != null && !chart.toString().endsWith(".svg")) {
            throw new IllegalArgumentException("--chart: " + chart + ", must end in .svg");
        }
        Compare.checkFile("--checkpoint", checkpoint);
        Compare.checkFile("--chart", chart);
        if (resume != null && !Files.isRegularFile(resume)) {
            throw new IllegalArgumentException("--resume: there is no file " + resume);
        }
    }

    private static List<Path> fortunes() {
        return CLASSES.stream().map(FORTUNES::resolve).toList();
    }

    private static int or(Integer set, int otherwise) {
        return set == null ? otherwise : set;
    }

    private void say(String format, Object... values) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(String.format(Locale.ROOT, format, values));
        out.flush();
    }

    /** Returns the seconds of a step. */
    private double train(Training training, Training.Options options) throws IOException {
        int first = training.losses().size();
        int last = stopAfter == null ? options.steps() : Math.min(stopAfter, options.steps());
        if (resume != null) {
            say("resumed   after step %d", first);
        }
        long start = System.nanoTime();
        try (Progress progress = Progress.start("training", Math.max(0, last - first))) {
            while (training.losses().size() < last) {
                training.step();
                int done = training.losses().size();
                double seconds = (System.nanoTime() - start) / 1e9;
                progress.say(String.format(
                        Locale.ROOT,
                        "loss %.3f, %.0f s left",
                        recent(training.losses()),
                        seconds / (done - first) * (last - done)));
                progress.step();
                if (checkpoint != null && (done % SAVED_EACH == 0 || done == last)) {
                    training.save(checkpoint);
                }
            }
        }
        int done = training.losses().size();
        double seconds = (System.nanoTime() - start) / 1e9;
        double perStep = seconds / Math.max(1, done - first);
        if (done > 0) {
            say(
                    "training  loss %.4f at first, %.4f at last (mean of 20), %d steps in %.0f s, %.1f ms a step",
                    training.losses().get(0), recent(training.losses()), done - first, seconds, 1e3 * perStep);
        }
        if (checkpoint != null) {
            say("saved     %s", checkpoint);
        }
        return perStep;
    }

    private static double recent(List<Float> losses) {
        return losses.subList(Math.max(0, losses.size() - 20), losses.size()).stream()
                .mapToDouble(Float::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /** Trains the same model in PyTorch, and prints both losses. */
    private List<Float> torch(Training training, Training.Options options, Examples examples, double perStep) {
        List<Float> own = training.losses();
        List<Float> losses = new ArrayList<>();
        Map<String, Tensor> first = options.shape().random(seed);
        String builtWith;
        long start;
        try (TorchTransformer torch = TorchTransformer.open(
                        options.shape(),
                        first,
                        weightDecay,
                        Training.MOST_NORM,
                        Runtime.getRuntime().availableProcessors());
                Progress progress = Progress.start("PyTorch", own.size())) {
            builtWith = torch.builtWith();
            start = System.nanoTime();
            for (int step = 0; step < own.size(); step++) {
                Batch next = examples.batch(step, options.batch(), seed);
                losses.add((float) torch.step(next, options.rate(step)));
                progress.say(String.format(Locale.ROOT, "loss %.3f", recent(losses)));
                progress.step();
            }
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        say("peer      %s", builtWith);
        say("          %.1f ms a step, attention4j %.1f", 1e3 * seconds / own.size(), 1e3 * perStep);
        say("          step  attention4j  PyTorch");
        IntStream.concat(IntStream.of(TABLE).filter(step -> step < own.size()), IntStream.of(own.size()))
                .forEach(step -> say("        %6d  %11.4f  %7.4f", step, own.get(step - 1), losses.get(step - 1)));
        int compared = Math.min(COMPARED, own.size());
        say(
                "          largest difference over the first %d steps %.1e of the loss, over all %.1e",
                compared, largest(own, losses, compared), largest(own, losses, own.size()));
        return losses;
    }

    private static double largest(List<Float> own, List<Float> others, int steps) {
        return IntStream.range(0, steps)
                .mapToDouble(step -> Math.abs(own.get(step) - others.get(step)) / others.get(step))
                .max()
                .orElse(0);
    }

    private void invent(Transformer model, Examples examples, List<String> words) {
        if (invent == 0) {
            return;
        }
        long start = System.nanoTime();
        List<String> invented =
                InventedWords.write(model, examples.tokens(), invent, new Sampler(temperature, 0, seed));
        double seconds = (System.nanoTime() - start) / 1e9;
        int letters = invented.stream().mapToInt(word -> word.length() + 1).sum();
        Set<String> known = new HashSet<>(words);
        List<String> fresh =
                invented.stream().filter(word -> !known.contains(word)).toList();
        say(
                "invented  %d words, %.0f letters/s; %d are in the list, these are not:",
                invent, letters / seconds, invent - fresh.size());
        InventedWords.lines(fresh).forEach(line -> say("          %s", line));
    }

    private void say(HeldOutAnswers answers) {
        say(
                "accuracy  %.1f %% of %d held-out texts; the most frequent class, %s, would be right for %.1f %%",
                100 * answers.accuracy(),
                answers.count(),
                answers.mostFrequent(),
                100 * answers.accuracyOfMostFrequent());
        for (int n = 0; n < answers.classes().size(); n++) {
            say(
                    "          %-14s %4d of %4d right",
                    answers.classes().get(n),
                    answers.right().get(n),
                    answers.texts().get(n));
        }
    }
}
