package dev.attention4j.opencl.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.testing.OtherUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What this user has kept is believed only if nobody else can have written it. */
class UserFileTest {
    private static final byte[] CONTENT = {1, 2, 3};

    @TempDir
    Path root;

    private UserFile file() {
        return UserFile.at(root.resolve("cache/file"));
    }

    @Test
    void whatWasWrittenIsRead() throws IOException {
        assertThat(file().read()).isEmpty();
        file().write(new byte[] {9});
        file().write(CONTENT);
        assertThat(file().read()).hasValue(CONTENT);
        assertThat(file().path().getParent())
                .isDirectoryContaining("glob:**file")
                .isDirectoryNotContaining("glob:**.part");
    }

    /** As letters beyond ASCII are in the locale C. */
    @Test
    void ifTheCacheCannotBeNamedItLiesAmongTheTemporaryFiles() throws IOException {
        String before = System.getProperty(UserDirectory.PROPERTY);
        System.setProperty(UserDirectory.PROPERTY, "a\0b");
        try {
            assertThat(UserFile.inCache("file").path())
                    .startsWithRaw(Path.of(System.getProperty("java.io.tmpdir")).toAbsolutePath())
                    .hasFileName("file");
        } finally {
            if (before == null) {
                System.clearProperty(UserDirectory.PROPERTY);
            } else {
                System.setProperty(UserDirectory.PROPERTY, before);
            }
        }
    }

    @Test
    void whatAnotherUserWroteIsRefused() throws IOException {
        file().write(CONTENT);
        OtherUser.give(file().path());
        refused("belongs to another user");
    }

    @Test
    void whatOthersCanWriteIsRefused() throws IOException {
        file().write(CONTENT);
        Files.setPosixFilePermissions(file().path(), PosixFilePermissions.fromString("rw-rw----"));
        refused("can be written by other users (chmod 600 it)");
    }

    @Test
    void aDirectoryThatOthersCanWriteIsRefused() throws IOException {
        file().write(CONTENT);
        Files.setPosixFilePermissions(file().path().getParent(), PosixFilePermissions.fromString("rwxrwx---"));
        refused("can be written by other users (chmod 700 it)");
    }

    @Test
    void aLinkIsRefused() throws IOException {
        file().write(CONTENT);
        Path elsewhere = Files.move(file().path(), root.resolve("elsewhere"));
        Files.createSymbolicLink(file().path(), elsewhere);
        refused("is no regular file");
    }

    @Test
    void whatIsTooLargeIsRefused() throws IOException {
        file().write(new byte[(4 << 20) + 1]);
        refused("has more than 4194304 bytes");
    }

    private void refused(String words) {
        assertThatThrownBy(() -> file().read()).isInstanceOf(IOException.class).hasMessageContaining(words);
    }

    @Test
    void aDirectoryThatCannotBeMadeIsNamedWithTheReason() throws IOException {
        Path file = Files.writeString(root.resolve("a file"), "");
        UserFile inFile = UserFile.at(file.resolve("sub").resolve("tuning.json"));
        assertThatThrownBy(() -> inFile.write(CONTENT))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(file.resolve("sub") + " cannot be made or written (" + file);
    }
}
