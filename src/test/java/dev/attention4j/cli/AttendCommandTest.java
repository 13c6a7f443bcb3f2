package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.reference.Deviation;
import dev.attention4j.testing.TestEngines;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AttendCommandTest {
    @TempDir
    private Path folder;

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private Path in;
    private Path out;

    @BeforeEach
    void setUp() {
        in = folder.resolve("in.safetensors");
        out = folder.resolve("out.safetensors");
        tensors.put("query", Tensor.random(1, 2, 4, 7, 16));
        tensors.put("key", Tensor.random(2, 2, 2, 9, 16));
        tensors.put("value", Tensor.random(3, 2, 2, 9, 24));
    }

    @Test
    void verifiesAndWritesAllThatWasAskedFor() throws IOException {
        Safetensors.write(in, tensors, Map.of());

        Cli cli = Cli.run("attend", in, "-o", out, "--device", "cpu", "--weights", "--lse", "--verify");

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out())
                .contains(
                        "2 x 4 x 7 x 16 float32", "options  weights", "cpu", "time", "output: error", "weights: error");
        assertThat(cli.out().lines().filter(line -> line.startsWith("verify") && line.endsWith("ok")))
                .hasSize(3);
        assertThat(Safetensors.read(out).tensors().keySet())
                .containsExactlyInAnyOrder("output", "weights", "log_sum_exp");
    }

    @Test
    void optionsAreThoseOfAttention() throws IOException {
        assertSame(
                Attention.builder()
                        .scale(0.3)
                        .softcap(5)
                        .causal(Alignment.BOTTOM_RIGHT)
                        .window(3, 0),
                "--scale",
                "0.3",
                "--softcap",
                "5",
                "--causal",
                "bottom-right",
                "--window",
                "3,0");
        assertSame(Attention.builder().causal(Alignment.TOP_LEFT), "--causal", "top-left");
        assertSame(Attention.builder().causalOffsets(-2, 3), "--offsets", "-2,3");
        assertSame(Attention.builder().causalOffsets(-2), "--offsets", "-2");
        assertSame(
                Attention.builder().window(-1, 1).align(Alignment.BOTTOM_RIGHT),
                "--window",
                "-1,1",
                "--align",
                "bottom-right");
    }

    @Test
    void lengthsSlopesAndSinksAreThoseOfAttention() throws IOException {
        assertSame(Attention.builder().keyLengths(9, 4), "--key-lengths", "9,4");
        assertSame(Attention.builder().keyLengths(5), "--key-lengths", "5");
        assertSame(Attention.builder().sinks(0.5f, -1.25f, Float.NEGATIVE_INFINITY, 0), "--sinks", "0.5,-1.25,-inf,0");
        assertSame(Attention.builder().sinks(-1, 2, 3, 4), "--sinks", "-1,2,3,4");
        assertSame(Attention.builder().alibiSlopes(0.5f, 0.25f, -0.125f, 0), "--alibi", "0.5,0.25,-0.125,0");
        assertSame(
                Attention.builder()
                        .alibiSlopes(0.25f, 0.0625f, 0.015625f, 0.00390625f)
                        .align(Alignment.BOTTOM_RIGHT),
                "--alibi",
                "geometric",
                "--align",
                "bottom-right");
    }

    @Test
    void sequencesArePackedIntoTheOneBatchRow() throws IOException {
        tensors.replaceAll((name, tensor) -> tensor.slice(0, 0, 1).contiguous());
        int[] queries = {0, 3, 3, 7};
        assertSame(
                Attention.builder()
                        .cumulativeLengths(queries, new int[] {0, 2, 5, 9})
                        .causalOffsets(1, 0, 2),
                "--cumulative-lengths",
                "0,3,3,7:0,2,5,9",
                "--offsets",
                "1,0,2");
        tensors.replaceAll((name, tensor) -> tensor.slice(2, 0, 7).contiguous());
        assertSame(
                Attention.builder().cumulativeLengths(queries, queries).causal(Alignment.BOTTOM_RIGHT),
                "--cumulative-lengths",
                "0,3,3,7",
                "--causal",
                "bottom-right");
    }

    @Test
    void maskAndBiasComeFromTheFile() throws IOException {
        boolean[] seen = new boolean[9];
        seen[2] = true;
        seen[5] = true;
        tensors.put("mask", Tensor.of(seen, 1, 1, 1, 9));
        tensors.put("bias", Tensor.random(4, 4, 7, 9));

        assertSame(Attention.builder().mask(tensors.get("mask")).bias(tensors.get("bias")));
    }

    @Test
    void expressionsReadParametersAndTablesOfTheFile() throws IOException {
        float[] slopes = {0.5f, 0.25f, 0.125f, 1};
        tensors.put("slopes", Tensor.of(slopes, 4));
        assertSame(
                Attention.builder()
                        .score(
                                "score * x - slope[head] * abs(position - key)",
                                ScoreParameters.NONE.with("x", 1.5).with("slope", slopes))
                        .maskIf("key % n != 1", ScoreParameters.NONE.with("n", 4)),
                "--score",
                "score * x - slope[head] * abs(position - key)",
                "--mask-if",
                "key % n != 1",
                "--param",
                "x=1.5",
                "--param",
                "n=4",
                "--table",
                "slope=slopes");
        tensors.remove("slopes");
        assertSame(
                Attention.builder().maskIf("key <= position").align(Alignment.BOTTOM_RIGHT),
                "--mask-if",
                "key <= position",
                "--align",
                "bottom-right");
    }

    @Test
    void theCommandOfTheDocumentOnExpressionsRuns() throws IOException {
        String document = Files.readString(Path.of("docs", "expressions.md"));
        String command = document.substring(document.indexOf("attend in.safetensors"));
        tensors.put("slopes", Tensor.of(new float[] {1, 2, 3, 4}, 4));
        Safetensors.write(in, tensors, Map.of());
        Object[] words = Pattern.compile("\"([^\"]*)\"|\\S+")
                .matcher(command.substring(0, command.indexOf("```")).replace("\\\n", " "))
                .results()
                .map(word -> word.group(1) == null ? word.group() : word.group(1))
                .map(word -> word.equals("in.safetensors") ? in : word)
                .toArray();
        Cli cli = Cli.run(words);
        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).contains("score=score - slope[head] * abs(position - key), maskIf=key %", ": ok");
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = "->",
            value = {
                "--score;score + -> --score: column 8: found the end",
                "--score;score + t[head];--table;t=slopse -> has no tensor \"slopse\" for --table",
                "--score;score + x -> --score: column 9: \"x\" is no variable, and no parameter of that name is given",
                "--score;score + x;--param;x=many -> --param: x is \"many\", must be an int or a float",
                "--score;score;--param;y=1 -> --param: \"y\", must be a name that --score or --mask-if reads",
                "--mask-if;score > 0 -> --mask-if: column 1: a mask must not read the score",
            })
    void expressionsThatDoNotFitAreRefused(String options, String message) throws IOException {
        Safetensors.write(in, tensors, Map.of());
        List<Object> args = new ArrayList<>(List.of("attend", in, "--device", "cpu"));
        args.addAll(List.of(options.split(";")));
        Cli cli = Cli.run(args.toArray());
        assertThat(cli.exitCode()).isNotZero();
        assertThat(cli.err()).contains(message);
    }

    @Test
    void theMaskOfQueriesComesFromTheFile() throws IOException {
        boolean[] attends = new boolean[2 * 7];
        Arrays.fill(attends, true);
        attends[3] = false;
        attends[13] = false;
        tensors.put("query_mask", Tensor.of(attends, 2, 7));
        assertSame(Attention.builder().queryMask(tensors.get("query_mask")));

        tensors.put("query_mask", Tensor.of(attends, 14));
        Safetensors.write(in, tensors, Map.of());
        assertThat(Cli.run("attend", in, "--device", "cpu").err())
                .contains("query_mask: type BOOL of shape [14], must be");
    }

    @Test
    void aTensorThatIsNotUsedIsNamed() throws IOException {
        tensors.put("masks", Tensor.of(new boolean[9], 1, 1, 1, 9));
        Safetensors.write(in, tensors, Map.of());

        Cli cli = Cli.run("attend", in, "--device", "cpu");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.err())
                .contains(
                        "\"masks\"",
                        "the tensor",
                        " is not used; used are query, key, value, mask, bias",
                        "did you mean \"mask\"?");
    }

    @Test
    void halfPrecisionIsVerifiedAgainstPlainFloatStoredLikewise() throws IOException {
        tensors.replaceAll((name, tensor) -> tensor.to(DType.FLOAT16));
        Safetensors.write(in, tensors, Map.of());

        Cli cli = Cli.run("attend", in, "--device", "cpu", "--verify", "-o", out);

        assertThat(cli.exitCode()).isZero();
        assertThat(Safetensors.read(out).tensor("output").dtype()).isEqualTo(DType.FLOAT16);
    }

    /** One NaN among the values makes one column of every row NaN that attends to it, in the oracle as well. */
    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void whatTheOracleHasTooIsRight(float element) throws IOException {
        tensors.get("value").floats().put(0, element);
        Safetensors.write(in, tensors, Map.of());

        for (EngineInfo info : TestEngines.underTest()) {
            Cli cli = Cli.run("attend", in, "--device", info.id(), "--verify");

            assertThat(cli.exitCode()).as(cli.out()).isZero();
            // Heads 0 and 1 of batch 0, seven queries, the first column.
            assertThat(cli.out().replaceAll("\\s+", " "))
                    .contains(", 14 NaN or infinite")
                    .contains(": ok");
        }
    }

    @Test
    void nanWhereTheOracleHasANumberIsWrong() {
        Tensor query = tensors.get("query");
        Tensor key = tensors.get("key");
        Tensor value = tensors.get("value");
        value.floats().put(0, Float.NaN);
        AttentionProblem problem = AttentionProblem.of(query, key, value, Attention.DEFAULT);
        try (AttentionEngine engine = AttentionEngine.open("oracle");
                AttentionResult result = engine.attend(query, key, value)) {
            assertThat(Verification.of(problem, query, key, value, result)).allMatch(Deviation::isAllowed);
            FloatBuffer output = result.output().floats();
            float second = output.get(1);
            output.put(1, Float.NaN);
            assertThat(Verification.of(problem, query, key, value, result)).noneMatch(Deviation::isAllowed);
            output.put(1, second);
            output.put(0, 0);
            assertThat(Verification.of(problem, query, key, value, result)).noneMatch(Deviation::isAllowed);
        }
    }

    /** A file of a model holds more, of types that this library has not. */
    @Test
    void whatIsNotWantedIsNotRead() throws IOException {
        Safetensors.write(in, tensors, Map.of());
        addUnsigned32(in, "ids");

        Cli cli = Cli.run("attend", in, "--device", "cpu", "--verify");

        assertThat(cli.exitCode()).as(cli.err()).isZero();
        assertThat(cli.err()).contains("the tensor \"ids\" is not used; used are");
    }

    /** Puts a tensor of a type that is not known here after all others. */
    private static void addUnsigned32(Path file, String name) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int headerBytes = (int) bytes.getLong(0);
        String header = new String(bytes.array(), 8, headerBytes, StandardCharsets.UTF_8).strip();
        int data = bytes.capacity() - 8 - headerBytes;
        byte[] longer = (header.substring(0, header.length() - 1) + ",\"" + name
                        + "\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[" + data + "," + (data + 8) + "]}}")
                .getBytes(StandardCharsets.UTF_8);
        ByteBuffer all = ByteBuffer.allocate(8 + longer.length + data + 8).order(ByteOrder.LITTLE_ENDIAN);
        all.putLong(longer.length).put(longer).put(bytes.array(), 8 + headerBytes, data);
        Files.write(file, all.array());
    }

    @ParameterizedTest
    @EnumSource(names = {"INT64", "INT32", "INT16", "INT8", "UINT8"})
    void aMaskMayBeOfWholeNumbers(DType type) throws IOException {
        boolean[] seen = new boolean[2 * 9];
        seen[2] = true;
        seen[5] = true;
        seen[17] = true;
        Tensor mask = Tensor.of(seen, 2, 1, 1, 9);
        tensors.put("mask", mask.to(type));
        assertSame(Attention.builder().mask(mask));

        Tensor wrong = Tensor.zeros(DType.INT64, 2, 1, 1, 9);
        wrong.bytes().putLong(10 * Long.BYTES, type == DType.UINT8 ? 255 : -1);
        tensors.put("mask", wrong.to(type));
        Safetensors.write(in, tensors, Map.of());
        Cli cli = Cli.run("attend", in, "--device", "cpu");
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains("the tensor \"mask\" (" + type.name().toLowerCase(Locale.ROOT) + ") holds "
                        + (type == DType.UINT8 ? 255 : -1) + " at [1, 0, 0, 1], must hold nothing but 0");
    }

    @Test
    void aMaskOfFloatsIsRefusedWithTheNameOfWhatIsAdded() throws IOException {
        tensors.put("mask", Tensor.zeros(DType.FLOAT32, 1, 1, 7, 9));
        Safetensors.write(in, tensors, Map.of());

        Cli cli = Cli.run("attend", in, "--device", "cpu");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains("\"mask\" is float32, must be bool", "is called \"bias\"");
    }

    @Test
    void aMisspeltTensorIsGuessed() throws IOException {
        tensors.put("vlaue", tensors.remove("value"));
        Safetensors.write(in, tensors, Map.of());

        assertThat(Cli.run("attend", in, "--device", "cpu").err())
                .contains("has no tensor \"value\"; it holds", "; did you mean \"vlaue\"?");
    }

    @Test
    void allIsWrittenAsJson() throws IOException {
        tensors.get("value").floats().put(0, Float.NaN);
        Safetensors.write(in, tensors, Map.of());

        Cli cli = Cli.run("attend", in, "--device", "cpu", "--lse", "--verify", "--json", "-");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.err()).contains("query", "verify");
        Map<String, Object> found = JSON.std.mapFrom(cli.out());
        assertThat(found).containsKeys("version", "milliseconds", "plan", "options");
        assertThat(Instant.parse(found.get("date").toString()))
                .isBetween(Instant.now().minusSeconds(600), Instant.now());
        Map<?, ?> output = (Map<?, ?>) ((Map<?, ?>) found.get("results")).get("output");
        assertThat(output.get("shape")).isEqualTo(List.of(2, 4, 7, 24));
        assertThat(output.get("not_finite")).isEqualTo(14);
        assertThat((List<?>) found.get("verify"))
                .hasSize(2)
                .allSatisfy(one -> assertThat(((Map<?, ?>) one).get("right")).isEqualTo(true));
    }

    /** JSON has neither NaN nor infinities, and a text is no number. */
    @Test
    void whatIsNoNumberIsNullInJson() throws IOException {
        tensors.replaceAll((name, tensor) -> name.equals("value") ? Tensor.of(nans(), 2, 2, 9, 24) : tensor);
        Safetensors.write(in, tensors, Map.of());

        Map<String, Object> found = JSON.std.mapFrom(
                Cli.run("attend", in, "--device", "cpu", "--json", "-").out());

        Map<?, ?> output = (Map<?, ?>) ((Map<?, ?>) found.get("results")).get("output");
        assertThat(output.containsKey("mean")).isTrue();
        assertThat(output.get("mean")).isNull();
        assertThat(output.get("least")).isNull();
        assertThat(output.get("not_finite")).isEqualTo(2 * 4 * 7 * 24);
    }

    private static float[] nans() {
        float[] nans = new float[2 * 2 * 9 * 24];
        Arrays.fill(nans, Float.NaN);
        return nans;
    }

    @Test
    void wrongResultIsFound() {
        Tensor query = tensors.get("query");
        Tensor key = tensors.get("key");
        Tensor value = tensors.get("value");
        AttentionProblem problem = AttentionProblem.of(query, key, value, Attention.DEFAULT);
        try (AttentionEngine engine = AttentionEngine.open("oracle");
                AttentionResult result = engine.attend(query, key, value)) {
            List<Deviation> right = Verification.of(problem, query, key, value, result);
            assertThat(right).hasSize(1).allMatch(Deviation::isAllowed);

            result.output().floats().put(11, result.output().floats().get(11) + 1e-4f);
            List<Deviation> wrong = Verification.of(problem, query, key, value, result);
            assertThat(wrong).hasSize(1).noneMatch(Deviation::isAllowed);
            assertThat(wrong.get(0).error()).isBetween(0.99e-4, 1.01e-4);
        }
    }

    private void assertSame(AttentionBuilder expected, String... options) throws IOException {
        Safetensors.write(in, tensors, Map.of());
        Object[] args = new Object[options.length + 6];
        System.arraycopy(new Object[] {"attend", in, "-o", out, "--device", "oracle"}, 0, args, 0, 6);
        System.arraycopy(options, 0, args, 6, options.length);

        Cli cli = Cli.run(args);

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        SafetensorsFile written = Safetensors.read(out);
        assertThat(written.metadata().get("attention"))
                .isEqualTo(expected.build().toString());
        try (AttentionEngine oracle = AttentionEngine.open("oracle");
                AttentionResult want = oracle.attend(
                        tensors.get("query"), tensors.get("key"), tensors.get("value"), expected.build())) {
            assertThat(written.tensor("output").toFloatArray())
                    .isEqualTo(want.output().toFloatArray());
        }
    }
}
