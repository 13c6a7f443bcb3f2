package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.io.FileFormatException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * A report as the XML that JUnit's readers take (Jenkins, GitLab, GitHub's actions): a test suite for each engine and
 * plan, a test case for each case, its class the feature.
 */
public final class JunitReport {
    private JunitReport() {}

    /** Writes the file; one that is there already is replaced. */
    public static void write(Report report, Path file) throws IOException {
        try (BufferedWriter writer = Files.newBufferedWriter(file, StandardCharsets.UTF_8)) {
            XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(writer);
            xml.writeStartDocument("UTF-8", "1.0");
            xml.writeCharacters("\n");
            xml.writeStartElement("testsuites");
            xml.writeAttribute("name", clean(report.title()));
            counts(xml, report.outcomes());
            for (Matrix.Column column : new Matrix(report.outcomes()).columns()) {
                suite(xml, report, column);
            }
            xml.writeEndElement();
            xml.writeEndDocument();
            xml.close();
        } catch (XMLStreamException e) {
            // The cause is inside.
            throw e.getNestedException() instanceof IOException cause ? cause : new IOException(e.getMessage(), e);
        }
    }

    private static void suite(XMLStreamWriter xml, Report report, Matrix.Column column) throws XMLStreamException {
        List<Outcome> outcomes = report.outcomes().stream()
                .filter(outcome -> outcome.engine().equals(column.engine())
                        && outcome.plan().equals(column.plan()))
                .toList();
        xml.writeCharacters("\n  ");
        xml.writeStartElement("testsuite");
        xml.writeAttribute("name", clean(column.engine() + " " + column.plan()));
        xml.writeAttribute(
                "timestamp", report.date().truncatedTo(ChronoUnit.SECONDS).toString());
        counts(xml, outcomes);
        xml.writeStartElement("properties");
        property(xml, "attention4j", report.version());
        for (EngineInfo engine : report.engines()) {
            if (engine.id().equals(column.engine())) {
                property(xml, "device", engine.name());
                property(xml, "vendor", String.valueOf(engine.vendor()));
                property(xml, "driver", String.valueOf(engine.driver()));
            }
        }
        xml.writeEndElement();
        for (Outcome outcome : outcomes) {
            testCase(xml, outcome);
        }
        xml.writeCharacters("\n  ");
        xml.writeEndElement();
    }

    private static void testCase(XMLStreamWriter xml, Outcome outcome) throws XMLStreamException {
        xml.writeCharacters("\n    ");
        xml.writeStartElement("testcase");
        xml.writeAttribute("classname", clean(outcome.engine() + "." + outcome.plan() + "." + outcome.feature()));
        xml.writeAttribute("name", clean(outcome.caseName()));
        xml.writeAttribute("time", seconds(outcome.seconds()));
        switch (outcome.status()) {
            case PASSED -> {
                // Nothing inside says that it passed.
            }
            case SKIPPED -> {
                xml.writeStartElement("skipped");
                xml.writeAttribute("message", clean(outcome.detail()));
                xml.writeEndElement();
            }
            case FAILED -> problem(xml, "failure", outcome);
            case CRASHED, HUNG -> problem(xml, "error", outcome);
        }
        xml.writeEndElement();
    }

    private static void problem(XMLStreamWriter xml, String element, Outcome outcome) throws XMLStreamException {
        xml.writeStartElement(element);
        xml.writeAttribute("type", outcome.status().toString());
        xml.writeAttribute("message", clean(outcome.detail()));
        xml.writeCharacters(clean(outcome.detail() + "\nto run it again: " + outcome.reproduce()));
        xml.writeEndElement();
    }

    /** A case that crashed or hung is an error. */
    private static void counts(XMLStreamWriter xml, List<Outcome> outcomes) throws XMLStreamException {
        Map<Status, Long> counts =
                outcomes.stream().collect(Collectors.groupingBy(Outcome::status, Collectors.counting()));
        long errors = counts.getOrDefault(Status.CRASHED, 0L) + counts.getOrDefault(Status.HUNG, 0L);
        xml.writeAttribute("tests", Integer.toString(outcomes.size()));
        xml.writeAttribute("failures", counts.getOrDefault(Status.FAILED, 0L).toString());
        xml.writeAttribute("errors", Long.toString(errors));
        xml.writeAttribute("skipped", counts.getOrDefault(Status.SKIPPED, 0L).toString());
        xml.writeAttribute(
                "time", seconds(outcomes.stream().mapToDouble(Outcome::seconds).sum()));
    }

    private static String seconds(double seconds) {
        return String.format(Locale.ROOT, "%.3f", seconds);
    }

    private static void property(XMLStreamWriter xml, String name, String value) throws XMLStreamException {
        xml.writeStartElement("property");
        xml.writeAttribute("name", name);
        xml.writeAttribute("value", clean(value));
        xml.writeEndElement();
    }

    /** Without what XML 1.0 cannot hold, however it is written, and what steers the terminal of its reader. */
    private static String clean(String text) {
        return FileFormatException.printableLines(text).replaceAll("[\uFFFE\uFFFF]", "\uFFFD");
    }
}
