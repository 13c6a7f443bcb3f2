package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.EngineInfo;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.Resident;
import dev.attention4j.testing.TestEngines;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The memory of a process does not grow with the calls that it makes and the engines that it opens, measured by {@link
 * Resident} in a JVM of its own. {@code -Dload=full} makes 10,000 calls and opens 1,000 engines.
 */
class NativeMemoryTest {
    private static final boolean FULL = "full".equals(System.getProperty("load"));

    /** What malloc keeps for itself, compiled Java, what an emulator's compiler keeps of kernels, and the like. */
    private static final long NOISE = 48L << 20;

    @TempDir
    Path temporary;

    static List<EngineInfo> devices() {
        return TestEngines.openCl();
    }

    @ParameterizedTest
    @MethodSource("devices")
    @EnabledOnOs(OS.LINUX)
    void callsTakeNoMemoryThatTheyDoNotGiveBack(EngineInfo info) throws Exception {
        check(info, "calls", isSlow(info) ? 20 : FULL ? 10_000 : 500);
    }

    @ParameterizedTest
    @MethodSource("devices")
    @EnabledOnOs(OS.LINUX)
    void enginesTakeNoMemoryThatTheyDoNotGiveBack(EngineInfo info) throws Exception {
        check(info, "engines", isSlow(info) ? 4 : FULL ? 1_000 : 50);
    }

    private static boolean isSlow(EngineInfo info) {
        return info.kind() == EngineInfo.Kind.EMULATOR;
    }

    private void check(EngineInfo info, String what, int times) throws Exception {
        String printed = new ChildJvm(Resident.class)
                .options("-Xms128m", "-Xmx128m", "-XX:+AlwaysPreTouch", "-XX:MaxDirectMemorySize=128m")
                .run(temporary, info.id(), what, Integer.toString(times));
        System.out.println("load: " + info.name() + ": " + printed.strip());
        assertThat(printed).endsWith("0 handles alive\n");
        String[] words = printed.split("\\s+");
        long before = Long.parseLong(words[List.of(words).indexOf("from") + 1]);
        long after = Long.parseLong(words[List.of(words).indexOf("to") + 1]);
        assertThat(1024 * (after - before)).as(printed).isLessThan(NOISE);
    }
}
