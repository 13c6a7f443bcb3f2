package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import dev.attention4j.reference.ReferenceAttention;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntBinaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page of {@code attend}: the cells of weights against the oracle in double, those of masks against formulas. */
class AttendPageTest {
    private static final int BATCH = 2;
    private static final int HEADS = 4;
    private static final int QUERIES = 5;
    private static final int KEYS = 9;
    private static final int STEPS = 10_000;

    @TempDir
    private Path folder;

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private Path in;
    private Path page;

    @BeforeEach
    void setUp() {
        in = folder.resolve("in.safetensors");
        page = folder.resolve("page.html");
        tensors.put("query", Tensor.random(1, BATCH, HEADS, QUERIES, 16));
        tensors.put("key", Tensor.random(2, BATCH, 2, KEYS, 16));
        tensors.put("value", Tensor.random(3, BATCH, 2, KEYS, 8));
    }

    private Map<String, Object> drawn(String... options) throws IOException {
        Safetensors.write(in, tensors, Map.of());
        List<Object> arguments = new ArrayList<>(List.of("attend", in, "--device", "cpu", "--page", page));
        arguments.addAll(List.of(options));
        Cli cli = Cli.run(arguments.toArray());
        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).contains("page     ");
        Matcher data = Pattern.compile("(?s)<script id=\"data\" type=\"application/json\">(.*?)</script>")
                .matcher(Files.readString(page));
        assertThat(data.find()).isTrue();
        return JSON.std.mapFrom(data.group(1));
    }

    /** The pictures of a batch row. */
    private static Map<?, ?> text(Map<String, Object> data, int batch) {
        return (Map<?, ?>) ((List<?>) data.get("texts")).get(batch);
    }

    private static List<?> heads(Map<String, Object> data, int batch, int layer) {
        return (List<?>) ((Map<?, ?>) ((List<?>) text(data, batch).get("layers")).get(layer)).get("heads");
    }

    private void assertWeights(Map<String, Object> data, AttentionBuilder builder) {
        Attention attention = builder.weights(true).build();
        Tensor query = tensors.get("query");
        Tensor key = tensors.get("key");
        Tensor value = tensors.get("value");
        double[] weights = ReferenceAttention.compute(
                        AttentionProblem.of(query, key, value, attention), query, key, value)
                .weights();
        for (int n = 0; n < weights.length; n++) {
            int ofHead = QUERIES * KEYS;
            List<?> cells = (List<?>) heads(data, n / ofHead / HEADS, 0).get(n / ofHead % HEADS);
            assertThat(Math.abs((int) cells.get(n % ofHead) - STEPS * weights[n]))
                    .as("weight " + n)
                    .isLessThan(0.6);
        }
    }

    private static List<Integer> cells(IntBinaryOperator attends) {
        return IntStream.range(0, QUERIES * KEYS)
                .map(n -> STEPS * attends.applyAsInt(n / KEYS, n % KEYS))
                .boxed()
                .toList();
    }

    @Test
    void aCausalMaskIsDrawnOnceForAllHeads() throws IOException {
        Map<String, Object> data = drawn("--causal", "bottom-right");
        assertWeights(data, Attention.builder().causal(Alignment.BOTTOM_RIGHT));
        assertThat(data)
                .containsEntry("title", "Attention of in.safetensors")
                .containsEntry("subtitle", "Options: causal, BOTTOM_RIGHT")
                .containsEntry("unit", "position");
        for (int batch = 0; batch < BATCH; batch++) {
            assertThat(text(data, batch).get("name")).isEqualTo(Integer.toString(batch));
            assertThat(text(data, batch).get("queries"))
                    .isEqualTo(List.of("0 at 4", "1 at 5", "2 at 6", "3 at 7", "4 at 8"));
            assertThat(text(data, batch).get("keys")).isEqualTo(List.of("0", "1", "2", "3", "4", "5", "6", "7", "8"));
            List<Integer> mask = cells((query, key) -> key <= query + KEYS - QUERIES ? 1 : 0);
            assertThat(heads(data, batch, 1)).isEqualTo(List.of(mask));
        }
    }

    @Test
    void aMaskExpressionAndAMaskOfEachHead() throws IOException {
        float[] documents = {0, 0, 0, 1, 1, 2, 2, 2, 2};
        tensors.put("document", Tensor.of(documents, KEYS));
        boolean[] ofHeads = new boolean[HEADS * KEYS];
        for (int n = 0; n < ofHeads.length; n++) {
            ofHeads[n] = n % KEYS != n / KEYS;
        }
        tensors.put("mask", Tensor.of(ofHeads, HEADS, 1, KEYS));
        Map<String, Object> data = drawn(
                "--mask-if", "document[query] == document[key] && key <= position", "--table", "document=document");
        assertWeights(
                data,
                Attention.builder()
                        .mask(tensors.get("mask"))
                        .maskIf(
                                "document[query] == document[key] && key <= position",
                                ScoreParameters.NONE.with("document", documents)));
        for (int head = 0; head < HEADS; head++) {
            int of = head;
            assertThat(heads(data, 1, 1).get(head))
                    .isEqualTo(cells(
                            (query, key) -> documents[query] == documents[key] && key <= query && key != of ? 1 : 0));
        }
    }

    /** ALiBi masks nothing, so there are only weights. */
    @Test
    void aScoreExpression() throws IOException {
        float[] slopes = AttentionBuilder.geometricSlopes(HEADS);
        tensors.put("slopes", Tensor.of(slopes, HEADS));
        Map<String, Object> data = drawn(
                "--score",
                "score - slope[head] * abs(position - key)",
                "--table",
                "slope=slopes",
                "--align",
                "bottom-right");
        assertWeights(data, Attention.builder().alibiSlopes(slopes).align(Alignment.BOTTOM_RIGHT));
        assertThat(data)
                .containsEntry("subtitle", "Options: BOTTOM_RIGHT, score=score - slope[head] * abs(position - key)");
        assertThat((List<?>) text(data, 0).get("layers")).hasSize(1);
    }

    @Test
    void whatIsTooLargeOrNoFileIsRefused() throws IOException {
        tensors.put("query", Tensor.random(1, BATCH, HEADS, 400, 16));
        tensors.put("key", Tensor.random(2, BATCH, 2, 400, 16));
        tensors.put("value", Tensor.random(3, BATCH, 2, 400, 8));
        Safetensors.write(in, tensors, Map.of());
        Cli cli = Cli.run("attend", in, "--device", "cpu", "--page", page);
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains(
                        "--page: the weights are 2 x 4 x 400 x 400, must be at most 1,048,576 in all, of at most 1,024"
                                + " queries and keys; a file with fewer batch rows, heads or positions of these tensors fits");
        assertThat(page).doesNotExist();
        cli = Cli.run("attend", in, "--device", "cpu", "--page", in);
        assertThat(cli.err()).contains("--page: ", "must be another file than that of the input");
        cli = Cli.run(
                "attend",
                in,
                "--device",
                "cpu",
                "--page",
                folder.resolve("none").resolve("page.html"));
        assertThat(cli.err()).contains("--page: ", "must be in a directory that exists");
    }

    @Test
    void nothingIsNotDrawn() throws IOException {
        tensors.put("key", Tensor.random(2, BATCH, 2, 0, 16));
        tensors.put("value", Tensor.random(3, BATCH, 2, 0, 8));
        Safetensors.write(in, tensors, Map.of());
        Cli cli = Cli.run("attend", in, "--device", "cpu", "--page", page);
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains("--page: the weights are 2 x 4 x 5 x 0, must be at least one of a query and a key");
    }
}
