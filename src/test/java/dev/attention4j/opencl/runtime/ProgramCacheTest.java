package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is in the cache directory is believed only if it is whole, of the right key and in a directory of this user. */
class ProgramCacheTest {
    private static final byte[] PROGRAM = {1, 2, 3, 4, 5};
    private static final String KEY = ProgramCache.key("source", "options", "device");

    @TempDir
    Path root;

    private Path directory() {
        return root.resolve("programs");
    }

    private List<Path> entries() throws Exception {
        try (Stream<Path> files = Files.list(directory())) {
            return files.toList();
        }
    }

    @Test
    void givesBackWhatWasStored() {
        ProgramCache.open(directory()).store(KEY, PROGRAM);
        assertThat(ProgramCache.open(directory()).load(KEY)).hasValue(PROGRAM);
        assertThat(ProgramCache.open(directory()).load(ProgramCache.key("other")))
                .isEmpty();
    }

    @Test
    void keysKeepTheirPartsApart() {
        assertThat(ProgramCache.key("ab", "c")).isNotEqualTo(ProgramCache.key("a", "bc"));
    }

    @Test
    void anyDamageIsSeenAndDeleted() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        byte[] whole = Files.readAllBytes(entries().get(0));
        for (int n = 0; n < whole.length; n++) {
            byte[] altered = whole.clone();
            altered[n] ^= 1;
            Files.write(entries().get(0), altered);
            assertThat(cache.load(KEY)).as("byte " + n + " altered").isEmpty();
            assertThat(entries()).isEmpty();
            cache.store(KEY, PROGRAM);
        }
        for (int length = 0; length < whole.length; length++) {
            Files.write(entries().get(0), java.util.Arrays.copyOf(whole, length));
            assertThat(cache.load(KEY)).as("cut to " + length).isEmpty();
            cache.store(KEY, PROGRAM);
        }
    }

    @Test
    void anEntryUnderAnotherKeyIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        String other = ProgramCache.key("of another driver");
        Files.move(entries().get(0), directory().resolve(other + ".program"));
        assertThat(cache.load(other)).isEmpty();
    }

    @Test
    void aDirectoryThatOthersCanWriteIsNotUsed() throws Exception {
        Files.createDirectory(directory());
        Files.setPosixFilePermissions(directory(), PosixFilePermissions.fromString("rwxrwxrwx"));
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        assertThat(entries()).isEmpty();
        assertThat(cache.load(KEY)).isEmpty();
    }

    @Test
    void aLinkIsNotFollowed() throws Exception {
        Path elsewhere = Files.createDirectory(root.resolve("elsewhere"));
        Files.createSymbolicLink(directory(), elsewhere);
        ProgramCache.open(directory()).store(KEY, PROGRAM);
        try (Stream<Path> files = Files.list(elsewhere)) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void theDirectoryIsMadeForThisUserAlone() throws Exception {
        ProgramCache.open(directory());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory())))
                .isEqualTo("rwx------");
    }
}
