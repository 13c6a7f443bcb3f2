package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.ChildJvm;
import dev.attention4j.PublicMethods;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** No handle that was released is given to a driver: most crash. */
class ClosedHandlesTest {
    /** What is known without the device, and arguments, which are only compared if they are as they were. */
    private static final Pattern ANSWERS = Pattern.compile(
            ".*\\.(close|toString|device|queue|pool|sharesHostMemory|builds|writes|reads|byteSize|isShared|name"
                    + "|largestGroup|arguments|command|advice|allocatedBytes|largestAllocation|capacity|bytesInUse"
                    + "|mostBytes|onShortage|reclaim|release)\\(.*");

    @TempDir
    Path directory;

    @Test
    void everyMethodOfWhatIsClosedRefusesOrAnswers() throws IOException, InterruptedException {
        List<String> lines = new ChildJvm(ClosedHandles.class)
                .options("-XX:-CreateCoredumpOnCrash", "-XX:TieredStopAtLevel=1")
                .run(directory, directory.toString())
                .lines()
                .toList();
        assertThat(lines).hasSizeGreaterThan(40).endsWith("0 handles");
        assertThat(lines.subList(0, lines.size() - 1)).allSatisfy(line -> assertThat(line)
                .matches(text -> text.endsWith(": " + PublicMethods.CLOSED)
                        || (text.endsWith(": " + PublicMethods.ANSWERED)
                                && ANSWERS.matcher(text).matches())));
    }
}
