package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.machine.UserDirectory;
import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.OtherUser;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
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
    void nothingIsKeptInTheUsersDirectoryIfAPropertySaysSo() {
        String before = System.getProperty("attention4j.programs");
        System.setProperty("attention4j.programs", "off");
        try {
            assertThat(ProgramCache.open(null).isOpen()).isFalse();
            assertThat(ProgramCache.open(directory()).isOpen()).isTrue();
        } finally {
            if (before == null) {
                System.clearProperty("attention4j.programs");
            } else {
                System.setProperty("attention4j.programs", before);
            }
        }
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
    void whatCannotBeReadJustNowIsKept() throws Exception {
        assertThat(new ChildJvm(WithoutDescriptors.class)
                        .options("-XX:-MaxFDLimit", "-XX:TieredStopAtLevel=1")
                        .limits("-n 80")
                        .run(root, directory().toString()))
                .contains("while none can be opened false, afterwards true");
    }

    private void age(String key, int days) throws IOException {
        Files.setLastModifiedTime(
                directory().resolve(key + ".program"),
                FileTime.from(Instant.now().minus(Duration.ofDays(days))));
    }

    @Test
    void whatWasUsedLastIsKeptWithinABound() throws Exception {
        ProgramCache.open(directory());
        ProgramCache cache = new ProgramCache(directory(), 5000);
        List<String> keys = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
            keys.add(ProgramCache.key("build " + n));
            cache.store(keys.get(n), new byte[1000]);
            age(keys.get(n), 10 - n);
        }
        // The first is used: that makes it the youngest.
        assertThat(cache.load(keys.get(0))).isPresent();
        cache.store(KEY, new byte[1000]);
        assertThat(cache.load(keys.get(1))).isEmpty();
        assertThat(cache.load(keys.get(0))).isPresent();
        assertThat(cache.load(keys.get(2))).isPresent();
        assertThat(cache.load(keys.get(3))).isPresent();
        assertThat(cache.load(KEY)).isPresent();
    }

    @Test
    void whatNobodyHasUsedForLongIsDeleted() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        String old = ProgramCache.key("of a driver that is gone");
        cache.store(old, PROGRAM);
        age(old, 100);
        cache.store(KEY, PROGRAM);
        assertThat(entries()).hasSize(1);
        assertThat(cache.load(KEY)).isPresent();
    }

    /** A process that is killed while it writes leaves a part behind. */
    @Test
    void partsOfDeadProcessesAreDeleted() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        Path old = Files.write(directory().resolve("a.program123.part"), PROGRAM);
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
        Path young = Files.write(directory().resolve("b.program456.part"), PROGRAM);
        cache.store(KEY, PROGRAM);
        assertThat(old).doesNotExist();
        assertThat(young).exists();
    }

    /** As those into which the native library is unpacked where the user's own directory cannot be used. */
    @Test
    void foldersOfDeadProcessesAreDeletedAndNoOtherUsers() throws Exception {
        List<Path> folders = new ArrayList<>();
        for (String name : List.of("temporary-old", "temporary-other", "temporary-young", "another")) {
            Path folder = Files.createDirectory(root.resolve(name));
            Files.write(folder.resolve("library"), PROGRAM);
            folders.add(folder);
        }
        OtherUser.give(folders.get(1));
        for (Path folder : folders) {
            if (!folder.endsWith("temporary-young")) {
                Files.setLastModifiedTime(folder, FileTime.from(Instant.now().minus(Duration.ofDays(2))));
            }
        }
        UserDirectory.sweep(root, "temporary*", Duration.ofDays(1), folders.get(3));
        assertThat(folders.get(0)).doesNotExist();
        assertThat(folders.subList(1, 4))
                .allSatisfy(folder -> assertThat(folder.resolve("library")).exists());
    }

    @Test
    void anEntryUnderAnotherKeyIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        String other = ProgramCache.key("of another driver");
        Files.move(entries().get(0), directory().resolve(other + ".program"));
        assertThat(cache.load(other)).isEmpty();
    }

    /** Another user may have put it there while the directory was open to others. */
    @Test
    void anEntryOfAnotherUserIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        OtherUser.give(entries().get(0));
        assertThat(cache.load(KEY)).isEmpty();
        assertThat(entries()).isEmpty();
        cache.store(KEY, PROGRAM);
        assertThat(cache.load(KEY)).hasValue(PROGRAM);
    }

    @Test
    void anEntryThatOthersCanWriteIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        for (String permissions : List.of("rw--w----", "rw-----w-")) {
            cache.store(KEY, PROGRAM);
            Files.setPosixFilePermissions(entries().get(0), PosixFilePermissions.fromString(permissions));
            assertThat(cache.load(KEY)).as(permissions).isEmpty();
            assertThat(entries()).as(permissions).isEmpty();
        }
    }

    @Test
    void anEntryThatIsALinkIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        cache.store(KEY, PROGRAM);
        Path entry = entries().get(0);
        Path elsewhere = Files.move(entry, root.resolve("elsewhere"));
        Files.createSymbolicLink(entry, elsewhere);
        assertThat(cache.load(KEY)).isEmpty();
        assertThat(entries()).isEmpty();
        assertThat(elsewhere).as("where it led to").exists();
    }

    @Test
    void whateverElseIsInAnEntrysPlaceIsNotLoaded() throws Exception {
        ProgramCache cache = ProgramCache.open(directory());
        Files.createDirectory(directory().resolve(KEY + ".program"));
        assertThat(cache.load(KEY)).isEmpty();
        cache.store(KEY, PROGRAM);
        assertThat(cache.load(KEY)).hasValue(PROGRAM);
    }

    @Test
    void aDirectoryOfAnotherUserIsNotUsed() throws Exception {
        ProgramCache.open(directory()).store(KEY, PROGRAM);
        OtherUser.give(directory());
        ProgramCache cache = ProgramCache.open(directory());
        assertThat(cache.load(KEY)).isEmpty();
        cache.store(ProgramCache.key("new"), PROGRAM);
        assertThat(entries()).hasSize(1);
    }

    @Test
    void aDirectoryThatOthersCanWriteIsNotUsed() throws Exception {
        Files.createDirectory(directory());
        for (String permissions : List.of("rwxrwxrwx", "rwx-w----", "rwx----w-")) {
            Files.setPosixFilePermissions(directory(), PosixFilePermissions.fromString(permissions));
            ProgramCache cache = ProgramCache.open(directory());
            cache.store(KEY, PROGRAM);
            assertThat(entries()).as(permissions).isEmpty();
            assertThat(cache.load(KEY)).as(permissions).isEmpty();
        }
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

    /** Reads a kept build while this process can open no file. */
    static final class WithoutDescriptors {
        private WithoutDescriptors() {}

        /**
         * The program.
         *
         * @param arguments the directory of built programs
         */
        public static void main(String[] arguments) throws IOException {
            Path directory = Path.of(arguments[0]);
            ProgramCache cache = ProgramCache.open(directory);
            String key = ProgramCache.key("source", "options", "device");
            // Loads all classes, those that log as well.
            Files.createDirectory(directory.resolve(key + ".program"));
            cache.load(key);
            cache.store(key, new byte[] {1, 2, 3});
            cache.load(key);
            List<FileInputStream> open = new ArrayList<>();
            boolean more = true;
            while (more) {
                try {
                    open.add(new FileInputStream("/dev/null"));
                } catch (IOException e) {
                    more = false;
                }
            }
            boolean read = cache.load(key).isPresent();
            for (FileInputStream one : open) {
                one.close();
            }
            System.out.println("while none can be opened " + read + ", afterwards "
                    + cache.load(key).isPresent());
        }
    }
}
