package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttentionPageTest {
    private static final Pattern DATA =
            Pattern.compile("(?s)<script id=\"data\" type=\"application/json\">(.*?)</script>");

    @TempDir
    private Path folder;

    @Test
    void holdsTokensAndWeightsAndNeedsNothingElse() throws IOException {
        Path file = folder.resolve("page.html");
        Tensor weights = Tensor.of(new float[] {0.25f, 0.75f, 1, 0, 0.123456f, 0.876544f}, 3, 1, 2);
        new AttentionPage("Two & one", List.of("</script><b>"), List.of("a", "β"))
                .layer("first", weights)
                .layer("second", weights.slice(0, 0, 1))
                .firstLayer(1)
                .firstHead(2)
                .write(file);
        String page = Files.readString(file);
        Matcher matcher = DATA.matcher(page);
        assertThat(matcher.find()).isTrue();
        Map<String, Object> data = JSON.std.mapFrom(matcher.group(1));
        assertThat(data)
                .containsEntry("title", "Two & one")
                .containsEntry("subtitle", "")
                .containsEntry("unit", "token")
                .containsEntry("steps", 10_000)
                .containsEntry("layer", 1)
                .containsEntry("head", 2)
                .containsEntry(
                        "scale",
                        Map.of(
                                "exponent",
                                0.5,
                                "light",
                                List.of("#ffffff", "#f58a1f"),
                                "dark",
                                List.of("#16181c", "#ffa24d")))
                .containsEntry(
                        "texts",
                        List.of(Map.of(
                                "name",
                                "Two & one",
                                "queries",
                                List.of("</script><b>"),
                                "keys",
                                List.of("a", "β"),
                                "layers",
                                List.of(
                                        layer(
                                                "first",
                                                List.of(List.of(2500, 7500), List.of(10_000, 0), List.of(1235, 8765))),
                                        layer("second", List.of(List.of(2500, 7500)))))));
        assertThat(page)
                .doesNotContain("http://", "https://", "src=", "url(", "@import")
                .contains("default-src 'none'");
    }

    /** Checks the parts for screen readers and keyboards; the script is checked in a browser. */
    @Test
    void theMapIsAGridWithNamedAxesAndTheArcsARadioGroup() throws IOException {
        Path file = folder.resolve("page.html");
        new AttentionPage("t", List.of("a"), List.of("a"))
                .layer("l", Tensor.of(new float[] {1}, 1, 1))
                .write(file);
        String page = Files.readString(file);
        assertThat(page)
                .contains("<html lang=\"en\">", "name=\"viewport\"", "name=\"color-scheme\" content=\"light dark\"")
                .containsPattern("id=\"map\" aria-hidden=\"true\"")
                .containsPattern("id=\"grid\" role=\"grid\" aria-readonly=\"true\" aria-describedby=\"help\"")
                .containsPattern("id=\"askers\"[^>]*role=\"radiogroup\" aria-label=\"query: the token that attends\"")
                .containsPattern("id=\"strongest\" role=\"status\"")
                .containsPattern("id=\"ramp\" role=\"img\"")
                .contains("role: \"row\"", "role: \"gridcell\"", "role: \"radio\"", "aria-rowcount", "aria-colcount")
                .contains("query ${queries[row]} ${", "may attend to", "looks at", "} key ${keys[column]}: ")
                .contains("key: the token attended to", "query: the token that attends", "<noscript>")
                .contains("one ${data.unit} in ${every} is named");
        for (String key :
                List.of("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown")) {
            assertThat(page).contains("case \"" + key + "\"");
        }
        // Each element that the script asks for by its id is there, once.
        Matcher asked = Pattern.compile("byId\\(\"(\\w+)\"\\)").matcher(page);
        while (asked.find()) {
            assertThat(page.split("id=\"" + asked.group(1) + "\"", -1))
                    .as(asked.group(1))
                    .hasSize(2);
        }
        // Labels that refer to elements, too.
        Matcher referred =
                Pattern.compile("aria-(?:labelledby|describedby)=\"(\\w+)\"").matcher(page);
        while (referred.find()) {
            assertThat(page).contains("id=\"" + referred.group(1) + "\"");
        }
    }

    @Test
    void eachTextHasTokensAndLayersOfItsOwn() throws IOException {
        Path file = folder.resolve("texts.html");
        new AttentionPage("Two texts")
                .text("one", List.of("a"), List.of("a"))
                .layer("only", Tensor.of(new float[] {1}, 1, 1, 1))
                .text("two", List.of("b"), List.of("c", "d"))
                .layer("only", Tensor.of(new float[] {0, 1}, 1, 1, 2))
                .write(file);
        Matcher matcher = DATA.matcher(Files.readString(file));
        assertThat(matcher.find()).isTrue();
        assertThat(JSON.std.mapFrom(matcher.group(1)))
                .containsEntry(
                        "texts",
                        List.of(
                                Map.of(
                                        "name",
                                        "one",
                                        "queries",
                                        List.of("a"),
                                        "keys",
                                        List.of("a"),
                                        "layers",
                                        List.of(layer("only", List.of(List.of(10_000))))),
                                Map.of(
                                        "name",
                                        "two",
                                        "queries",
                                        List.of("b"),
                                        "keys",
                                        List.of("c", "d"),
                                        "layers",
                                        List.of(layer("only", List.of(List.of(0, 10_000)))))));
    }

    /** A mask is told from weights, whether true and false or numbers, and one head of it may stand for all. */
    @Test
    void masksAreAmongTheLayers() throws IOException {
        Path file = folder.resolve("mask.html");
        new AttentionPage("t", List.of("0", "1 at 3"), List.of("0", "1", "2"))
                .positions()
                .subtitle("a < b")
                .layer("weights", Tensor.zeros(DType.FLOAT32, 2, 2, 3))
                .mask(Tensor.of(new boolean[] {true, false, false, true, true, false}, 2, 3))
                .mask(Tensor.of(new float[] {0, 1, 0, 0, 0, 1}, 1, 2, 3))
                .write(file);
        Matcher matcher = DATA.matcher(Files.readString(file));
        assertThat(matcher.find()).isTrue();
        Map<String, Object> data = JSON.std.mapFrom(matcher.group(1));
        assertThat(data).containsEntry("unit", "position").containsEntry("subtitle", "a < b");
        List<Integer> none = List.of(0, 0, 0, 0, 0, 0);
        assertThat(data.get("texts"))
                .isEqualTo(List.of(Map.of(
                        "name",
                        "t",
                        "queries",
                        List.of("0", "1 at 3"),
                        "keys",
                        List.of("0", "1", "2"),
                        "layers",
                        List.of(
                                layer("weights", List.of(none, none)),
                                Map.of(
                                        "name",
                                        "mask",
                                        "mask",
                                        true,
                                        "heads",
                                        List.of(List.of(10_000, 0, 0, 10_000, 10_000, 0))),
                                Map.of(
                                        "name",
                                        "mask",
                                        "mask",
                                        true,
                                        "heads",
                                        List.of(List.of(0, 10_000, 0, 0, 0, 10_000)))))));
        AttentionPage page = new AttentionPage("t", List.of("a"), List.of("b", "c"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.mask(Tensor.of(new boolean[] {true}, 1, 1)))
                .withMessageStartingWith("mask: shape [1, 1], must be [1, heads, 1, 2]");
    }

    /** The rows of softmax(q · k / √d) of two heads, computed here in doubles, come out of every engine's weights. */
    @Test
    void takesWeightsAsEnginesGiveThemFromHostAndDevice() throws IOException {
        Tensor query = Tensor.of(new float[] {1, 0, 0, 2, 3, 0}, 1, 2, 3, 1);
        double[] queries = query.toDoubleArray();
        List<List<Integer>> expected = new ArrayList<>();
        for (int head = 0; head < 2; head++) {
            List<Integer> steps = new ArrayList<>();
            for (int from = 0; from < 3; from++) {
                double sum = 0;
                for (int to = 0; to < 3; to++) {
                    sum += Math.exp(queries[3 * head + from] * queries[3 * head + to]);
                }
                for (int to = 0; to < 3; to++) {
                    steps.add(
                            (int) Math.round(1e4 * Math.exp(queries[3 * head + from] * queries[3 * head + to]) / sum));
                }
            }
            expected.add(steps);
        }
        List<String> tokens = List.of("a", "b", "c");
        Attention wanted = Attention.builder().weights(true).build();
        for (EngineInfo info : Engines.list()) {
            try (AttentionEngine engine = Engines.open(info.id(), EngineOptions.DEFAULT);
                    Tensor onDevice = engine.upload(query);
                    AttentionResult result = engine.attend(onDevice, onDevice, onDevice, wanted)) {
                Path file = folder.resolve("page.html");
                new AttentionPage("t", tokens, tokens)
                        .layer("four axes", result.weights())
                        .layer("three", Tensor.of(result.weights().toFloatArray(), 2, 3, 3))
                        .layer("two", Tensor.of(result.weights().slice(1, 1, 2).toFloatArray(), 3, 3))
                        .write(file);
                Matcher matcher = DATA.matcher(Files.readString(file));
                assertThat(matcher.find()).isTrue();
                assertThat(JSON.std.mapFrom(matcher.group(1)).get("texts"))
                        .as(info.id())
                        .isEqualTo(List.of(Map.of(
                                "name",
                                "t",
                                "queries",
                                tokens,
                                "keys",
                                tokens,
                                "layers",
                                List.of(
                                        layer("four axes", expected),
                                        layer("three", expected),
                                        layer("two", expected.subList(1, 2))))));
            }
        }
    }

    private static Map<String, Object> layer(String name, List<List<Integer>> heads) {
        return Map.of("name", name, "heads", heads);
    }

    @Test
    void weightsAndHeadsThatAreNoneAreRefused() {
        AttentionPage page = new AttentionPage("t", List.of("a"), List.of("b", "c"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.layer("l", Tensor.of(new float[] {0.5f, Float.NaN}, 1, 1, 2)))
                .withMessage("weights: NaN, must be 0 to 1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.layer("l", Tensor.of(new float[] {0.5f, 1e10f}, 1, 1, 2)))
                .withMessageContaining("must be 0 to 1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.firstHead(-1))
                .withMessageContaining("-1");
        page.layer("l", Tensor.of(new float[] {0, 1}, 1, 1, 2)).firstHead(1);
        assertThatIllegalStateException()
                .isThrownBy(() -> page.write(folder.resolve("page.html")))
                .withMessageContaining("firstHead: 1, must be less than the 1 heads");
        page.firstHead(0).firstLayer(1);
        assertThatIllegalStateException()
                .isThrownBy(() -> page.write(folder.resolve("page.html")))
                .withMessageContaining("firstLayer: 1, must be less than the 1 layers");
    }

    @Test
    void whatDoesNotFitTheTokensIsRefused() {
        AttentionPage page = new AttentionPage("t", List.of("a", "b"), List.of("a", "b", "c"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.layer("l", Tensor.random(1, 4, 3, 2)))
                .withMessage(
                        "weights: shape [4, 3, 2], must be [1, heads, 2, 3], [heads, 2, 3] or [2, 3] for these tokens");
        for (long[] shape : new long[][] {{6}, {1, 1, 1, 2, 3}, {3, 2}, {0, 2, 3}, {1, 0, 2, 3}}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> page.layer("l", Tensor.zeros(DType.FLOAT32, shape)))
                    .withMessageStartingWith("weights: shape " + Arrays.toString(shape) + ", must be [1, heads, 2, 3]");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.layer("l", Tensor.zeros(DType.FLOAT32, 2, 4, 2, 3)))
                .withMessageEndingWith("; weights.slice(0, n, n + 1) is the batch row n");
        assertThatIllegalStateException().isThrownBy(() -> page.write(folder.resolve("none.html")));
        AttentionPage empty = new AttentionPage("t");
        assertThatIllegalStateException().isThrownBy(() -> empty.write(folder.resolve("none.html")));
        assertThatIllegalStateException()
                .isThrownBy(() -> empty.layer("l", Tensor.random(1, 4, 3, 2)))
                .withMessage("texts: there are none, text(...) begins one");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionPage("t", List.of(), List.of("a")))
                .withMessage("queries, keys: 0 and 1 tokens, must be at least one of each");
    }
}
