package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.ClosedObjects;
import dev.attention4j.testing.PublicMethods;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever is called on an object that is closed, it is refused or answered, and never reaches the driver. */
class ClosedObjectsTest {
    /** What an object knows without its memory or its device. */
    private static final Pattern ANSWERS = Pattern.compile(
            "engine\\.(info|plans|isClosed|close|projectionVariants"
                    + "|projector|updates)\\(.*"
                    + "|.*\\.(toString|close|dtype|shape|strides|offset|scalesOffset|rank|size|elementCount|byteSize|isContiguous|memory|isOnHost"
                    + "|isClosed|permute|slice|reshape|broadcast|engine|output|result|query|key|value|bias|sinks|alibiSlopes|parameter|weights|logSumExp|scores|plan|presentKey|presentValue"
                    + "|qkMatmulOutput|equals|hashCode|seed|packed|inputs|heads|width|contiguous|length|lengths|freePages|pageSize|learningRate|setLearningRate)\\(.*");

    /** What is not on the engine's device outlives it. */
    private static final Pattern OUTLIVES_ENGINE =
            Pattern.compile("(layer|groups)\\.(hasWeights|initialize|weights).*" + "|host result.*");

    /** Of an engine that computes in Java, all but itself. */
    private static final Pattern OUTLIVES_HOST_ENGINE = Pattern.compile("(?!engine).*|engine\\.probe.*");

    private static final String ON_DEVICE = ": threw java.lang.IllegalStateException: the tensor is on a device";

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"opencl:0, engine", "opencl:0, objects", "cpu, engine", "cpu, objects", "oracle, objects"})
    void everyMethodOfWhatIsClosedRefusesOrAnswers(String engine, String what)
            throws IOException, InterruptedException {
        List<String> lines = new ChildJvm(ClosedObjects.class)
                .options("-XX:-CreateCoredumpOnCrash", "-XX:TieredStopAtLevel=1")
                .run(directory, engine, what)
                .lines()
                .toList();
        assertThat(lines).hasSizeGreaterThan(100);
        Predicate<String> mayAnswer = ANSWERS.asMatchPredicate();
        if (what.equals("engine")) {
            mayAnswer = mayAnswer.or(
                    (engine.startsWith("opencl") ? OUTLIVES_ENGINE : OUTLIVES_HOST_ENGINE).asMatchPredicate());
        }
        Predicate<String> answers = mayAnswer;
        Set<String> wrong = lines.stream()
                .filter(line -> !line.endsWith(": " + PublicMethods.CLOSED) && !line.contains(ON_DEVICE))
                .filter(line -> !line.endsWith(": " + PublicMethods.ANSWERED)
                        || !answers.test(line.replace(": " + PublicMethods.ANSWERED, "")))
                .collect(Collectors.toSet());
        assertThat(wrong).as(engine + " " + what).isEmpty();
    }
}
