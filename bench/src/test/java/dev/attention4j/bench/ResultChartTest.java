package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.bench.ContenderStyle.Theme;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class ResultChartTest {
    private static final String REPORT =
            """
            {"device": "a <device>", "dtype": "float32", "results": [
              {"shape": "layer:8.512.512.8", "engine": "opencl:0", "plan": "rows", "peer": false,
               "median_ms": 2, "gflops": 5, "ratio_to_best_peer": 1.25},
              {"shape": "layer:8.512.512.8", "engine": "pytorch", "plan": "a", "peer": true,
               "median_ms": 2.5, "gflops": 4, "ratio_to_best_peer": 1.0},
              {"shape": "layer:8.512.512.8", "engine": "pytorch", "plan": "b", "peer": true,
               "median_ms": 9, "gflops": 1, "ratio_to_best_peer": 0.3},
              {"shape": "1.8.8.1024.1024.64", "causal": true, "engine": "opencl:0", "plan": "rows", "peer": false,
               "median_ms": 5, "gflops": 2, "ratio_to_best_peer": 2.5},
              {"shape": "1.8.8.1024.1024.64", "causal": true, "engine": "onnxruntime", "plan": "c", "peer": true,
               "median_ms": 12.5, "gflops": 1, "ratio_to_best_peer": 1.0}
            ]}
            """;

    @Test
    void barsAreAsLongAsTheRatiosAndTheLineStandsAtOne() throws Exception {
        List<Result> results = Result.list(JSON.std.mapFrom(REPORT));
        Element svg = parse(ResultChart.svg("a <device>", results, Theme.LIGHT));
        assertThat(svg.getAttribute("width")).isEqualTo("800");
        assertThat(texts(svg))
                .contains("a <device>", "best peer = 1", "1.25", "2.50", "2.00 ms", "12.5 ms")
                .contains("attention4j on opencl:0", "PyTorch", "ONNX Runtime")
                .contains("Whole layer, 8 heads, 512 tokens, 512 wide, batch 8")
                .contains("Self-attention, 8 heads, 1,024 tokens, head dim 64, causal");
        List<Double> own = barWidths(svg, ContenderStyle.colour("opencl:0", Theme.LIGHT));
        double one = own.get(0) / 1.25;
        assertThat(own.get(1)).isCloseTo(2.5 * one, within());
        assertThat(barWidths(svg, ContenderStyle.colour("onnxruntime", Theme.LIGHT))
                        .get(0))
                .isCloseTo(one, within());
        // Of PyTorch's two ways the faster alone.
        assertThat(barWidths(svg, ContenderStyle.colour("pytorch", Theme.LIGHT)))
                .hasSize(1)
                .first()
                .satisfies(width -> assertThat(width).isCloseTo(one, within()));
        String line = ((Element) svg.getElementsByTagName("path").item(0)).getAttribute("d");
        double left = bars(svg).get(0)[0];
        assertThat(Double.parseDouble(line.substring(1, line.indexOf(' ')))).isCloseTo(left + one, within());
    }

    @Test
    void darkAndLightDifferInColoursAlone() throws IOException {
        List<Result> results = Result.list(JSON.std.mapFrom(REPORT));
        String light = ResultChart.svg("d", results, Theme.LIGHT);
        String dark = ResultChart.svg("d", results, Theme.DARK);
        assertThat(dark).isNotEqualTo(light).contains(Theme.DARK.paper).doesNotContain(Theme.LIGHT.paper);
        assertThat(dark.replaceAll("#[0-9a-f]{6}", "")).isEqualTo(light.replaceAll("#[0-9a-f]{6}", ""));
    }

    @Test
    void withoutAPeerTheBarsAreOperationsPerSecond() throws Exception {
        List<Result> results =
                Result.list(JSON.std.mapFrom(REPORT.replaceAll(",\\s*\"ratio_to_best_peer\": [\\d.]+", "")));
        Element svg = parse(ResultChart.svg("d", results, Theme.LIGHT));
        assertThat(texts(svg)).contains("Useful GFLOP/s", "5.000").doesNotContain("best peer = 1");
        List<Double> own = barWidths(svg, ContenderStyle.colour("opencl:0", Theme.LIGHT));
        assertThat(own.get(1)).isCloseTo(own.get(0) * 2 / 5, within());
    }

    @Test
    void eachContenderHasANameAndAColourOfItsOwn() {
        List<String> contenders =
                List.of("opencl:0", "opencl:1", "cpu", "pytorch-2.10", "pytorch-2.7", "onnxruntime", "plain-java");
        for (Theme theme : Theme.values()) {
            assertThat(contenders.stream().map(name -> ContenderStyle.colour(name, theme)))
                    .doesNotHaveDuplicates();
        }
        assertThat(contenders.stream().map(ContenderStyle::name))
                .containsExactly(
                        "attention4j on opencl:0",
                        "attention4j on opencl:1",
                        "attention4j in plain Java",
                        "PyTorch 2.10",
                        "PyTorch 2.7",
                        "ONNX Runtime",
                        "plain Java");
    }

    @Test
    void otherFormatsAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ResultChart.checkName(Path.of("c.png")))
                .withMessage("--chart: c.png, must end in .svg");
    }

    private static org.assertj.core.data.Offset<Double> within() {
        return org.assertj.core.data.Offset.offset(0.2);
    }

    private static Element parse(String svg) throws Exception {
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(svg)))
                .getDocumentElement();
    }

    private static List<String> texts(Element svg) {
        List<String> texts = new ArrayList<>();
        NodeList nodes = svg.getElementsByTagName("text");
        for (int n = 0; n < nodes.getLength(); n++) {
            texts.add(nodes.item(n).getTextContent());
        }
        return texts;
    }

    /** Bars without the squares of the legend: left, width. */
    private static List<double[]> bars(Element svg) {
        List<double[]> bars = new ArrayList<>();
        NodeList nodes = svg.getElementsByTagName("rect");
        for (int n = 0; n < nodes.getLength(); n++) {
            Element rect = (Element) nodes.item(n);
            if (isBar(rect)) {
                bars.add(new double[] {
                    Double.parseDouble(rect.getAttribute("x")), Double.parseDouble(rect.getAttribute("width"))
                });
            }
        }
        return bars;
    }

    private static List<Double> barWidths(Element svg, String colour) {
        List<Double> widths = new ArrayList<>();
        NodeList nodes = svg.getElementsByTagName("rect");
        for (int n = 0; n < nodes.getLength(); n++) {
            Element rect = (Element) nodes.item(n);
            if (isBar(rect) && rect.getAttribute("fill").equals(colour)) {
                widths.add(Double.parseDouble(rect.getAttribute("width")));
            }
        }
        return widths;
    }

    private static boolean isBar(Element rect) {
        return rect.hasAttribute("x") && !rect.getAttribute("width").equals(rect.getAttribute("height"));
    }
}
