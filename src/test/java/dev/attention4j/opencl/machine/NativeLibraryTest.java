package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.testing.OtherUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The library that the JVM loads is the one in JOCL's jar, whatever lay in its place. */
class NativeLibraryTest {
    private static final byte[] LIBRARY = {1, 2, 3, 4};

    @TempDir
    Path root;

    private Path directory;
    private Path target;

    @BeforeEach
    void directory() throws IOException {
        directory = UserDirectory.ensure(root.resolve("native"));
        target = directory.resolve("libJOCL.so");
    }

    private void place() throws IOException {
        NativeLibrary.place(directory, "libJOCL.so", LIBRARY);
        assertThat(target).hasBinaryContent(LIBRARY).isRegularFile().isExecutable();
        assertThat(Files.isSymbolicLink(target)).isFalse();
        assertThat(Files.getOwner(target, LinkOption.NOFOLLOW_LINKS)).isEqualTo(Files.getOwner(directory));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(target)))
                .doesNotMatch("....w....|.......w.");
        try (var files = Files.list(directory)) {
            assertThat(files).as("no part is left").containsExactly(target);
        }
    }

    @Test
    void whatIsWholeStays() throws IOException {
        place();
        Object before = Files.getAttribute(target, "unix:ino");
        place();
        assertThat(Files.getAttribute(target, "unix:ino")).isEqualTo(before);
    }

    @Test
    void whatIsCutShortOrOfAnotherVersionIsReplaced() throws IOException {
        Files.write(target, new byte[] {1, 2});
        place();
        Files.write(target, new byte[] {1, 2, 3, 4, 5});
        place();
    }

    /** He could change it between the look at its bytes and its loading. */
    @Test
    void whatAnotherUserPlantedIsReplacedThoughItHasTheRightBytes() throws IOException {
        Files.write(target, LIBRARY);
        OtherUser.give(target);
        place();
    }

    @Test
    void whatOthersCanWriteIsReplaced() throws IOException {
        Files.write(target, LIBRARY);
        Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwxrwxrwx"));
        place();
    }

    @Test
    void aLinkIsReplacedAndNotFollowed() throws IOException {
        Path elsewhere = Files.write(root.resolve("elsewhere"), LIBRARY);
        Files.createSymbolicLink(target, elsewhere);
        place();
        assertThat(elsewhere).hasBinaryContent(LIBRARY);
        Files.delete(target);
        Files.createSymbolicLink(target, root.resolve("nowhere"));
        place();
        assertThat(root.resolve("nowhere")).doesNotExist();
    }

    @Test
    void aDirectoryOfAnotherUserIsRefused() throws IOException {
        OtherUser.give(directory);
        assertThatThrownBy(() -> UserDirectory.ensure(directory))
                .isInstanceOf(IOException.class)
                .hasMessage(directory + " belongs to another user");
    }

    /** JOCL's message has two stack traces, and the first is of no interest. */
    @Test
    void theCauseIsFoundBehindTheFirstLineOfJoclsMessage() {
        String message =
                """
                Error while loading native library "JOCL_2_0_6-linux-x86_64"
                Operating system name: Linux
                ---(start of nested stack traces)---
                Stack trace from the attempt to load the library as a file:
                java.lang.UnsatisfiedLinkError: Expecting an absolute path of the library: JOCL_2_0_6-linux-x86_64
                \tat java.base/java.lang.Runtime.load0(Runtime.java:754)
                Stack trace from the attempt to load the library as a resource:
                java.lang.IllegalCallerException: Illegal native access from an unnamed module
                \tat java.base/java.lang.Module.ensureNativeAccess(Module.java:298)
                ---(end of nested stack traces)---
                """;
        assertThat(NativeLibrary.reason(message))
                .hasValue("java.lang.IllegalCallerException: Illegal native access from an unnamed module");
        assertThat(NativeLibrary.reason("another message")).isEmpty();
    }
}
