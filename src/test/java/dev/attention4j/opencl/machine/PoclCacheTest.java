package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.OtherUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PoclCacheTest {
    @TempDir
    private Path temporary;

    @Test
    void itIsWherePoclLooksForIt() {
        assertThat(Pocl.cache(Map.of("POCL_CACHE_DIR", "/a", "XDG_CACHE_HOME", "/b", "HOME", "/c")))
                .isEqualTo(Path.of("/a"));
        assertThat(Pocl.cache(Map.of("XDG_CACHE_HOME", "/b", "HOME", "/c"))).isEqualTo(Path.of("/b/pocl/kcache"));
        assertThat(Pocl.cache(Map.of("XDG_CACHE_HOME", "", "HOME", "/c"))).isEqualTo(Path.of("/c/.cache/pocl/kcache"));
        assertThat(Pocl.cache(Map.of())).isEqualTo(Path.of("/tmp/pocl/kcache"));
    }

    @Test
    void whatCanBeWrittenAndRunIsFine() throws IOException {
        Path cache = temporary.resolve("new/cache");
        assertThat(Pocl.whyNoCache(Map.of("POCL_CACHE_DIR", cache.toString()))).isEmpty();
        assertThat(cache).isEmptyDirectory();
    }

    @Test
    void whatCannotIsNamed() throws IOException {
        Path file = Files.writeString(temporary.resolve("file"), "");
        assertThat(Pocl.whyNoCache(Map.of("POCL_CACHE_DIR", file.toString())))
                .hasValueSatisfying(complaint ->
                        assertThat(complaint).startsWith("PoCL cannot keep what it compiles in " + file + ": "));
    }

    @Test
    void anEmptyNameIsNamedBeforePoclSeesIt() {
        assertThat(Pocl.endsTheProcess(Map.of("POCL_CACHE_DIR", "", "OCL_ICD_VENDORS", "libpocl.so.2")))
                .isTrue();
        assertThat(Pocl.endsTheProcess(Map.of("POCL_CACHE_DIR", "", "OCL_ICD_VENDORS", "libother.so")))
                .isFalse();
        assertThat(Pocl.endsTheProcess(Map.of("OCL_ICD_VENDORS", "libpocl.so.2")))
                .isFalse();
    }

    /** As letters beyond ASCII are in the locale C. */
    @Test
    void aNameThatJavaCannotReadIsNamed() {
        assertThat(Pocl.whyNoCache(Map.of("POCL_CACHE_DIR", "a\0b")))
                .hasValueSatisfying(complaint -> assertThat(complaint).contains("Java cannot name"));
    }

    /** What PoCL finds there it runs. */
    @Test
    void whatOthersCanPlantIsNamed() throws IOException {
        Path open = Files.createDirectory(temporary.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        complains(open, "everybody can write there");
        Path another = Files.createDirectory(temporary.resolve("another"));
        OtherUser.give(another);
        complains(another, "belongs to another user");
    }

    private static void complains(Path cache, String words) {
        assertThat(Pocl.whyNoCache(Map.of("POCL_CACHE_DIR", cache.toString())))
                .hasValueSatisfying(complaint -> assertThat(complaint)
                        .startsWith("PoCL cannot keep what it compiles in " + cache + ": ")
                        .contains(words));
        assertThat(cache).isEmptyDirectory();
    }
}
