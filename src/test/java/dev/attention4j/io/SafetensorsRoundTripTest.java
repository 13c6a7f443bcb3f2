package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.testing.RawFile;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsRoundTripTest {
    private static final List<long[]> SHAPES = List.of(
            new long[] {},
            new long[] {1},
            new long[] {0},
            new long[] {7},
            new long[] {3, 0, 2},
            new long[] {2, 3, 5},
            new long[] {1, 1, 1, 1, 1, 1, 1, 9});

    @TempDir
    Path folder;

    /** The format's own library reads it as none. */
    @Test
    void metadataOfNullAreNone() throws IOException {
        Path path = folder.resolve("null.safetensors");
        Files.write(
                path,
                RawFile.bytes(
                        "{\"__metadata__\":null,\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4));
        SafetensorsFile file = Safetensors.read(path);
        assertThat(file.metadata()).isEmpty();
        assertThat(file.tensors()).containsOnlyKeys("a");
    }

    @Test
    void everyTypeAndShapeComesBackBitForBit() throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Random random = new Random(7);
        // The format has no integers with scales.
        List<DType> types = Arrays.stream(DType.values())
                .filter(dtype -> !dtype.isQuantized())
                .toList();
        for (DType dtype : types) {
            for (long[] shape : SHAPES) {
                Tensor tensor = Tensor.zeros(dtype, shape);
                byte[] bits = new byte[(int) tensor.byteSize()];
                random.nextBytes(bits);
                tensor.bytes().put(bits);
                tensors.put(dtype + Arrays.toString(shape), tensor);
            }
        }
        Map<String, String> metadata = Map.of("op", "attention", "attributes", "{\"scale\": 0.5}", "", "");
        Path path = folder.resolve("all.safetensors");
        Safetensors.write(path, tensors, metadata);

        for (SafetensorsFile file : List.of(Safetensors.read(path), viaStream(path))) {
            assertThat(file.metadata()).isEqualTo(metadata);
            assertThat(file.tensors().keySet()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
            for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
                Tensor got = file.tensor(entry.getKey());
                assertThat(got.dtype()).isEqualTo(entry.getValue().dtype());
                assertThat(got.shape()).isEqualTo(entry.getValue().shape());
                assertThat(got.bytes().compareTo(entry.getValue().bytes())).isZero();
            }
        }
    }

    @Test
    void namesAndTextsMayBeAnyUnicode() throws IOException {
        String name = "поля/クエリ/🤖 \"quoted\"\n\u0000\\";
        // The file itself has a plain name: a JVM in the C locale cannot even spell another.
        Path path = folder.resolve("unicode.safetensors");
        Safetensors.write(path, Map.of(name, Tensor.of(new float[] {1.5f}, 1)), Map.of(name, name));
        SafetensorsFile file = Safetensors.read(path);
        assertThat(file.tensor(name).toFloatArray()).containsExactly(1.5f);
        assertThat(file.metadata()).containsExactly(Map.entry(name, name));
    }

    @Test
    void theLayoutIsTheReferenceImplementations() throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("b", Tensor.of(new float[] {1, 2}, 2));
        tensors.put("mask", Tensor.of(new boolean[] {true, false, true}, 3));
        tensors.put("a", Tensor.of(new float[] {3}));
        tensors.put("half", Tensor.of(new float[] {1}, 1).to(DType.FLOAT16));
        tensors.put("wide", Tensor.zeros(DType.INT64, 1));
        Path path = folder.resolve("layout.safetensors");
        Safetensors.write(path, tensors, Map.of("k", "v"));

        String header = "{\"__metadata__\":{\"k\":\"v\"},"
                + "\"wide\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]},"
                + "\"half\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[20,22]},"
                + "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[22,25]}}";
        String padded = header + " ".repeat((8 - header.length() % 8) % 8);
        ByteBuffer expected = ByteBuffer.allocate(8 + padded.length() + 25).order(ByteOrder.LITTLE_ENDIAN);
        expected.putLong(padded.length()).put(padded.getBytes(StandardCharsets.UTF_8));
        expected.putLong(0).putFloat(3).putFloat(1).putFloat(2).putShort((short) 0x3C00);
        expected.put(new byte[] {1, 0, 1});
        assertThat(Files.readAllBytes(path)).isEqualTo(expected.array());
    }

    @Test
    void aViewIsWrittenRowMajor() throws IOException {
        Tensor tensor = Tensor.of(new float[] {0, 1, 2, 3, 4, 5}, 2, 3);
        Path path = folder.resolve("view.safetensors");
        Map<String, Tensor> views = Map.of(
                "transposed", tensor.permute(1, 0), "column", tensor.slice(1, 1, 2), "row", tensor.slice(0, 1, 2));
        Safetensors.write(path, views, Map.of());
        SafetensorsFile file = Safetensors.read(path);
        assertThat(file.tensor("transposed").shape()).containsExactly(3, 2);
        assertThat(file.tensor("transposed").toFloatArray()).containsExactly(0, 3, 1, 4, 2, 5);
        assertThat(file.tensor("column").toFloatArray()).containsExactly(1, 4);
        assertThat(file.tensor("row").toFloatArray()).containsExactly(3, 4, 5);
    }

    @Test
    void aDirectoryThatIsNotThereIsNamed() {
        Path file = folder.resolve("none").resolve("a.safetensors");
        assertThatThrownBy(() -> Safetensors.write(file, Map.of(), Map.of()))
                .isInstanceOf(IOException.class)
                .hasMessage(file + ": must be in a directory that exists");
    }

    @Test
    void writingReplacesTheFileAndLeavesNoOther() throws IOException {
        Path path = folder.resolve("again.safetensors");
        Safetensors.write(path, Map.of("x", Tensor.zeros(DType.FLOAT32, 1000)), Map.of());
        Safetensors.write(path, Map.of("y", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        assertThat(Safetensors.read(path).tensors()).containsOnlyKeys("y");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(path);
        }
    }

    @Test
    void aLinkIsFollowedAndWhatIsNoFileStays() throws IOException {
        Path target = Files.writeString(folder.resolve("target"), "old");
        Path link = Files.createSymbolicLink(folder.resolve("link.safetensors"), target);
        Safetensors.write(link, Map.of("one", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        assertThat(link).isSymbolicLink();
        assertThat(Safetensors.read(target).tensors()).containsOnlyKeys("one");
        assertThatThrownBy(() -> Safetensors.write(folder, Map.of(), Map.of()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(folder + ": must be a file");
        assertThatThrownBy(() -> Safetensors.write(Path.of("/dev/null"), Map.of(), Map.of()))
                .hasMessageContaining("/dev/null: must be a file");
    }

    @Test
    void aFailedWriteKeepsWhatWasThere() throws IOException {
        Path path = folder.resolve("kept.safetensors");
        Safetensors.write(path, Map.of("x", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        Tensor closed = Tensor.zeros(DType.FLOAT32, 1);
        closed.close();
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("y", closed), Map.of()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("\"y\" is closed");
        Path directory =
                Files.createDirectories(folder.resolve("directory/inner")).getParent();
        assertThatThrownBy(() -> Safetensors.write(directory, Map.of(), Map.of()))
                .isInstanceOf(IOException.class);
        assertThat(Safetensors.read(path).tensors()).containsOnlyKeys("x");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactlyInAnyOrder(path, directory);
        }
    }

    @Test
    void whatNobodyCouldReadIsNotWritten() {
        Tensor one = Tensor.zeros(DType.FLOAT32, 1);
        Path path = folder.resolve("refused.safetensors");
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("__metadata__", one), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("__metadata__");
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("half \uD83E of a pair", one), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("surrogate");
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("x", one.reshape(new long[65])), Map.of()))
                .isInstanceOf(IllegalArgumentException.class);
        long[] axes = new long[65];
        Arrays.fill(axes, 1);
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("x", one.reshape(axes)), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("65 axes");
        Tensor absurd = Tensor.zeros(DType.FLOAT32, 0, 1L << 40, 1L << 40);
        assertThatThrownBy(() -> Safetensors.write(path, Map.of("x", absurd), Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2^63");
        assertThat(path).doesNotExist();
    }

    @Test
    void anEmptyFileIsLegal() throws IOException {
        Path path = folder.resolve("empty.safetensors");
        Safetensors.write(path, Map.of(), Map.of());
        assertThat(Safetensors.read(path).tensors()).isEmpty();
        assertThatThrownBy(() -> Safetensors.read(path).tensor("query"))
                .isInstanceOf(FileFormatException.class)
                .hasMessage(path + ": has no tensor \"query\"; it holds no tensor");
    }

    @Test
    void aMissingTensorIsAnsweredWithWhatIsThere() throws IOException {
        Path path = folder.resolve("found.safetensors");
        Tensor one = Tensor.zeros(DType.FLOAT32, 1);
        Safetensors.write(path, Map.of("key", one, "value", one), Map.of());
        SafetensorsFile file = Safetensors.read(path);
        assertThat(file.find("query")).isEmpty();
        assertThat(file.find("key")).isPresent();
        assertThatThrownBy(() -> file.tensor("query"))
                .isInstanceOf(FileFormatException.class)
                .hasMessage(path + ": has no tensor \"query\"; it holds \"key\", \"value\"");
        assertThatThrownBy(() -> file.tensors().clear()).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> file.metadata().put("a", "b")).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void namesMayBeAsLongAsTheSystemTakesThem() throws IOException {
        Path path = folder.resolve("n".repeat(250) + ".st");
        Safetensors.write(path, Map.of("one", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        Safetensors.write(path, Map.of("two", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        assertThat(Safetensors.read(path).names()).containsExactly("two");
    }

    @Test
    void aLinkToWhatIsNotThereYetIsFollowed() throws IOException {
        Path target = folder.resolve("target.safetensors");
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("target.safetensors"));
        Safetensors.write(link, Map.of("one", Tensor.zeros(DType.FLOAT32, 1)), Map.of());
        assertThat(link).isSymbolicLink();
        assertThat(Safetensors.read(target).names()).containsExactly("one");
    }

    @Test
    void theOtherByteOrderIsTurnedRoundElementByElement() {
        for (int width : new int[] {1, 2, 4, 8}) {
            ByteBuffer bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
            ByteBuffer turned = ByteBuffer.allocate(16).order(ByteOrder.BIG_ENDIAN);
            for (int n = 0; n < 16; n += width) {
                switch (width) {
                    case 1 -> turned.put(n, bytes.put(n, (byte) n).get(n));
                    case 2 ->
                        turned.putShort(
                                n, bytes.putShort(n, (short) (0x1234 + n)).getShort(n));
                    case 4 -> turned.putInt(n, bytes.putInt(n, 0x12345678 + n).getInt(n));
                    default ->
                        turned.putLong(
                                n, bytes.putLong(n, 0x123456789ABCDEFL + n).getLong(n));
                }
            }
            Safetensors.swap(bytes, width);
            assertThat(bytes.array()).isEqualTo(turned.array());
        }
    }

    private static SafetensorsFile viaStream(Path path) throws IOException {
        return Safetensors.read(new ByteArrayInputStream(Files.readAllBytes(path)), "stream");
    }
}
