package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.testing.FaultyProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** The matrix, JUnit's XML and the page of a run in which everything happened. */
class ReportFilesTest {
    private static final Instant DATE = Instant.parse("2026-02-03T04:05:06.789Z");

    @TempDir
    private Path folder;

    private Report report;

    @BeforeEach
    void report() {
        report = new Report(
                "a run <of> \"tests\" & more",
                DATE,
                "1.2.3",
                List.of(FaultyProvider.FAULTY),
                List.of(
                        outcome("scale/zero", "right", Status.PASSED, 0.5, ""),
                        outcome("scale/given", "right", Status.PASSED, 1.25, ""),
                        outcome("refusal/axes", "right", Status.PASSED, Double.NaN, ""),
                        outcome("weights/returned", "right", Status.SKIPPED, Double.NaN, "it has <none>"),
                        outcome(
                                "scale/zero",
                                "faulty",
                                Status.FAILED,
                                70,
                                "wrong & \u0001 <b> \u001b[31m \u009b \ud800"),
                        outcome("scale/given", "faulty", Status.HUNG, Double.NaN, "no end"),
                        outcome("refusal/axes", "faulty", Status.CRASHED, Double.NaN, "exit code 134")));
    }

    private static Outcome outcome(String name, String plan, Status status, double units, String detail) {
        String reproduce = "conformance --case " + name + " --device faulty --plan " + plan;
        return new Outcome(Outcome.feature(name), name, "faulty", plan, status, units, units, detail, 0.25, reproduce);
    }

    @Test
    void theMatrixShowsTheLargestErrorOfWhatIsRightAndCountsTheRest() {
        Matrix matrix = new Matrix(report.outcomes());
        List<Matrix.Column> columns = matrix.columns();
        assertThat(columns).extracting(Matrix.Column::plan).containsExactly("right", "faulty");
        assertThat(matrix.features()).containsExactly("scale", "refusal", "weights");
        assertThat(matrix.cell("scale", columns.get(0))).hasToString("1.25");
        assertThat(matrix.cell("refusal", columns.get(0))).hasToString("ok");
        assertThat(matrix.cell("weights", columns.get(0))).hasToString("-");
        assertThat(matrix.cell("weights", columns.get(1))).hasToString("-");
        assertThat(matrix.cell("scale", columns.get(1))).hasToString("2 HANG");
        assertThat(matrix.cell("refusal", columns.get(1))).hasToString("1 CRASH");
    }

    @Test
    void junitsXmlHasEveryOutcome() throws Exception {
        Path file = folder.resolve("report.xml");
        JunitReport.write(report, file);

        Document xml = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile());
        Element all = xml.getDocumentElement();
        assertThat(all.getTagName()).isEqualTo("testsuites");
        assertThat(all.getAttribute("name")).isEqualTo("a run <of> \"tests\" & more");
        assertThat(all.getAttribute("tests")).isEqualTo("7");
        assertThat(all.getAttribute("failures")).isEqualTo("1");
        assertThat(all.getAttribute("errors")).isEqualTo("2");
        assertThat(all.getAttribute("skipped")).isEqualTo("1");
        assertThat(xml.getElementsByTagName("testsuite").getLength()).isEqualTo(2);
        assertThat(xml.getElementsByTagName("testcase").getLength()).isEqualTo(7);
        Element failure = (Element) xml.getElementsByTagName("failure").item(0);
        assertThat(failure.getAttribute("message")).isEqualTo("wrong & \\u0001 <b> \\u001b[31m \\u009b \\ud800");
        assertThat(((Element) xml.getElementsByTagName("testsuite").item(0)).getAttribute("timestamp"))
                .isEqualTo("2026-02-03T04:05:06Z");
        assertThat(failure.getTextContent())
                .endsWith("to run it again: conformance --case scale/zero --device faulty --plan faulty");
    }

    @Test
    void thePageNeedsNothingElseAndEscapesWhatItShows() throws IOException {
        Path file = folder.resolve("report.html");
        HtmlReport.write(report, file);

        String page = Files.readString(file);
        assertThat(page)
                .contains("<title>a run &lt;of&gt; &quot;tests&quot; &amp; more</title>")
                .contains("3 passed, 3 failed", "attention4j 1.2.3, 2026-02-03 04:05 UTC", "\\u001b[31m")
                .contains("conformance --case scale/given --device faulty --plan faulty")
                .contains("&lt;b&gt;", "it has &lt;none&gt;", "&lt;none&gt;")
                .doesNotContain("\u001b", "\u009b", "<b>", "<script", "http:", "https:", "src=", "<!--");
    }

    /** Bars and the limit have one scale: 2 stands at four fifths of a cell, 1.25 is half a cell. */
    @Test
    void thePageDrawsEachErrorBesideTheLimitAndSaysWhatARowTests() throws IOException {
        Path file = folder.resolve("report.html");
        HtmlReport.write(report, file);

        String page = Files.readString(file);
        assertThat(page)
                .contains("style=\"--used:50%\">1.25</td>")
                .contains(
                        "<span style=\"left:80%\">2: the limit</span>",
                        "<span style=\"left:40%\">1: as plain float code")
                .contains("80% 0 / 1px 100% no-repeat", "table-layout: fixed", "style=\"--columns:2\"")
                .contains("<th scope=\"row\" role=\"rowheader\">scale <small>the factor of query · key")
                .contains("prefers-color-scheme: dark", "@media (max-width: 45rem)");
        assertThat(page.split("role=\"cell\"", -1)).hasSize(3 * 2 + 1);
    }

    @Test
    void eachFeatureOfTheSuiteIsSaidInWords() {
        List<String> features = BuiltInSuite.cases(Selection.builtIn(true, 1), EngineInfo.Kind.CPU).stream()
                .map(one -> Outcome.feature(one.name()))
                .distinct()
                .toList();
        assertThat(features).contains("real", "random", "ggml").hasSizeGreaterThan(30);
        assertThat(features)
                .allSatisfy(feature ->
                        assertThat(HtmlReport.words(feature)).as(feature).isNotEmpty());
        assertThat(HtmlReport.words("a-case-of-the-users-own")).isEmpty();
    }

    @Test
    void reasonsThatDifferInNumbersAloneAreOne() {
        List<Outcome> outcomes = List.of(
                outcome("width/300", "rows", Status.SKIPPED, Double.NaN, "300 do not fit the 32,768 bytes"),
                outcome("width/400", "rows", Status.SKIPPED, Double.NaN, "400 do not fit the 32,768 bytes"),
                outcome("width/400", "tiles", Status.SKIPPED, Double.NaN, "400 do not fit the 32,768 bytes"),
                outcome("weights/returned", "rows", Status.SKIPPED, Double.NaN, "no weights"),
                outcome("scale/zero", "rows", Status.PASSED, 0.5, "in part"));
        assertThat(new Report("", DATE, "", List.of(), outcomes).reasons(Status.SKIPPED))
                .extracting(reason -> reason.count() + " on " + reason)
                .containsExactly(
                        "2 on faulty rows: 300 do not fit the 32,768 bytes (and alike)",
                        "1 on faulty tiles: 400 do not fit the 32,768 bytes",
                        "1 on faulty rows: no weights");
    }

    @Test
    void nothingCheckedIsNoSuccess() {
        assertThat(report.succeeded()).isFalse();
        assertThat(new Report("", DATE, "", List.of(), report.outcomes().subList(0, 4)).succeeded())
                .isTrue();
        assertThat(new Report("", DATE, "", List.of(), report.outcomes().subList(3, 4)).succeeded())
                .isFalse();
    }
}
