package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Tensor;
import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KerasFileTest {
    private static final Path FIXTURES = Path.of("src", "test", "resources", "keras");

    @TempDir
    private Path folder;

    @Test
    void everyDataSetOfNumbersWithAFraction() throws IOException {
        KerasFile file = KerasFile.read(FIXTURES.resolve("gated.weights.h5"));
        assertThat(file.tensors().keySet())
                .contains("layers/multi_head_attention/query_dense/vars/0", "layers/dense/vars/1", "optimizer/vars/1")
                .doesNotContain("optimizer/vars/0")
                .noneMatch(path -> path.contains("seed_generator"));
        assertThat(file.tensors().get("layers/dense/vars/1").toFloatArray()).containsExactly(300, 300 + 1 / 64f);
    }

    /** Files of another writer than h5py, with double precision and other groups. */
    @Test
    void aFileThatAnotherLibraryWrote() throws IOException {
        Path path = folder.resolve("other.weights.h5");
        try (WritableHdfFile file = HdfFile.write(path)) {
            var vars = file.putGroup("attention").putGroup("_key_dense").putGroup("vars");
            vars.putDataset("0", new double[][] {{1, 2, 3}, {4, 5, 6}});
            vars.putDataset("1", new float[] {7, 8, 9});
            vars.putDataset("2", new int[] {1});
        }
        KerasFile read = KerasFile.read(path);
        assertThat(read.tensors().keySet())
                .containsExactlyInAnyOrder("attention/_key_dense/vars/0", "attention/_key_dense/vars/1");
        Tensor kernel = read.tensors().get("attention/_key_dense/vars/0");
        assertThat(kernel.shape()).containsExactly(2, 3);
        assertThat(kernel.toFloatArray()).containsExactly(1, 2, 3, 4, 5, 6);
    }

    @Test
    void whatIsNeitherIsRefused() throws IOException {
        Path text = Files.writeString(folder.resolve("model.keras"), "not a model\u0007");
        refused(text, "begins with \"not a mo\", must be a .weights.h5 file (HDF5) or a .keras file (zip)");
        refused(Files.createFile(folder.resolve("empty.weights.h5")), "begins with \"\", must be");
        refused(folder, "is a directory");
        assertThatThrownBy(() -> KerasFile.read(folder.resolve("none.keras"))).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void aZipWithoutWeightsIsRefused() throws IOException {
        Path path = folder.resolve("other.keras");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(path))) {
            zip.putNextEntry(new ZipEntry("config.json"));
            zip.write('{');
            zip.write('}');
        }
        refused(path, "has no model.weights.h5 inside, a .keras file must; it holds \"config.json\"");
    }

    @Test
    void aFileThatWasCutShortIsRefused() throws IOException {
        for (String name : new String[] {"gated.weights.h5", "three_layers.keras"}) {
            byte[] whole = Files.readAllBytes(FIXTURES.resolve(name));
            for (int length : new int[] {8, 9, 50, 100, 800, whole.length / 2, whole.length * 3 / 4}) {
                Path path = Files.write(folder.resolve("cut-" + name), Arrays.copyOf(whole, length));
                refused(path, "is damaged, cannot be read as");
            }
        }
    }

    /** A byte that changed is either seen, by an error that says so, or was in a number. */
    @Test
    void aDamagedFileNeverThrowsAnythingElse() throws IOException {
        Random random = new Random(11);
        int refused = 0;
        for (String name : new String[] {"gated.weights.h5", "three_layers.keras"}) {
            byte[] whole = Files.readAllBytes(FIXTURES.resolve(name));
            for (int n = 0; n < 150; n++) {
                byte[] damaged = whole.clone();
                for (int flips = 0; flips < 3; flips++) {
                    damaged[8 + random.nextInt(damaged.length - 8)] = (byte) random.nextInt();
                }
                Path path = Files.write(folder.resolve("damaged-" + name), damaged);
                try {
                    KerasFile.read(path);
                } catch (FileFormatException e) {
                    assertThat(e.getMessage())
                            .startsWith(path.toString())
                            .containsAnyOf("damaged", "has no", "must be");
                    refused++;
                }
            }
        }
        assertThat(refused).isGreaterThan(50);
    }

    /** Files of a few kilobytes that would take much memory or time; the fuzz test holds how little of it they take. */
    @Test
    void aFileThatClaimsMoreThanItHasIsRefused() {
        Path inputs = Path.of("src/test/resources/dev/attention4j/io/KerasFileFuzzTestInputs/isReadOrRefused");
        refused(inputs.resolve("huge_shape.h5"), "\"x\" has 2000000000 bytes by its shape, the file has 1708");
        refused(inputs.resolve("huge_shape_of_nothing.h5"), "its numbers with a fraction have 0 bytes");
        refused(inputs.resolve("shared_bytes.h5"), "\"b\" has 8000 bytes by its shape, the file has 9672 for all");
        refused(inputs.resolve("compressed.h5"), "\"x\" is compressed or in chunks, must be in one piece");
        refused(inputs.resolve("indexed_group.h5"), "keeps the members of \"/\" in an index");
        refused(inputs.resolve("tree_in_itself.h5"), "its tables refer to each other without end");
        refused(inputs.resolve("trees_twice_in_trees.h5"), "its tables refer to each other without end");
        refused(inputs.resolve("groups_twice_in_groups.h5"), "nested more than 64 deep");
        refused(inputs.resolve("zip_bomb.keras"), "model.weights.h5 inside is larger than 1319616 bytes");
    }

    /** Loads the library again without jHDF, as in a program that does not depend on it. */
    @Test
    void withoutJhdfTheErrorNamesTheDependency() throws Exception {
        URL[] others = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .filter(entry -> !entry.contains("jhdf"))
                .map(KerasFileTest::url)
                .toArray(URL[]::new);
        try (URLClassLoader loader = new URLClassLoader(others, ClassLoader.getPlatformClassLoader())) {
            var read = loader.loadClass(KerasFile.class.getName()).getMethod("read", Path.class);
            assertThatThrownBy(() -> read.invoke(null, FIXTURES.resolve("gated.weights.h5")))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining(
                            "gated.weights.h5: reading Keras's files needs io.jhdf:jhdf on the class path");
        }
    }

    private static URL url(String entry) {
        try {
            return Path.of(entry).toUri().toURL();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void refused(Path path, String words) {
        assertThatThrownBy(() -> KerasFile.read(path))
                .isInstanceOf(FileFormatException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(words);
    }
}
