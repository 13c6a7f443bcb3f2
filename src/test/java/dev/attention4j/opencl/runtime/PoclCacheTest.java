package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

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
        assertThat(PoclCache.directory(Map.of("POCL_CACHE_DIR", "/a", "XDG_CACHE_HOME", "/b", "HOME", "/c")))
                .isEqualTo(Path.of("/a"));
        assertThat(PoclCache.directory(Map.of("XDG_CACHE_HOME", "/b", "HOME", "/c")))
                .isEqualTo(Path.of("/b/pocl/kcache"));
        assertThat(PoclCache.directory(Map.of("XDG_CACHE_HOME", "", "HOME", "/c")))
                .isEqualTo(Path.of("/c/.cache/pocl/kcache"));
        assertThat(PoclCache.directory(Map.of())).isEqualTo(Path.of("/tmp/pocl/kcache"));
    }

    @Test
    void whatCanBeWrittenAndRunIsFine() throws IOException {
        Path cache = temporary.resolve("new/cache");
        assertThat(PoclCache.complaint(Map.of("POCL_CACHE_DIR", cache.toString())))
                .isEmpty();
        assertThat(cache).isEmptyDirectory();
    }

    @Test
    void whatCannotIsNamed() throws IOException {
        Path file = Files.writeString(temporary.resolve("file"), "");
        assertThat(PoclCache.complaint(Map.of("POCL_CACHE_DIR", file.toString())))
                .hasValueSatisfying(complaint ->
                        assertThat(complaint).startsWith("PoCL cannot keep what it compiles in " + file + ": "));
    }

    @Test
    void anEmptyNameIsNamedBeforePoclSeesIt() {
        assertThat(PoclCache.endsTheProcess(Map.of("POCL_CACHE_DIR", "", "OCL_ICD_VENDORS", "libpocl.so.2")))
                .isTrue();
        assertThat(PoclCache.endsTheProcess(Map.of("POCL_CACHE_DIR", "", "OCL_ICD_VENDORS", "libother.so")))
                .isFalse();
        assertThat(PoclCache.endsTheProcess(Map.of("OCL_ICD_VENDORS", "libpocl.so.2")))
                .isFalse();
    }

    /** As letters beyond ASCII are in the locale C. */
    @Test
    void aNameThatJavaCannotReadIsNamed() {
        assertThat(PoclCache.complaint(Map.of("POCL_CACHE_DIR", "a\0b")))
                .hasValueSatisfying(complaint -> assertThat(complaint).contains("where Java cannot look"));
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
        assertThat(PoclCache.complaint(Map.of("POCL_CACHE_DIR", cache.toString())))
                .hasValueSatisfying(complaint -> assertThat(complaint)
                        .startsWith("PoCL cannot keep what it compiles in " + cache + ": ")
                        .contains(words));
        assertThat(cache).isEmptyDirectory();
    }
}
