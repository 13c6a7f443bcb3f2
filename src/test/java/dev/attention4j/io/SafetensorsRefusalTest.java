package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.testing.MemoryBound;
import dev.attention4j.testing.RawFile;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each way in which a file can be wrong is refused, by file and by stream, with a message that says what was wrong. */
class SafetensorsRefusalTest {
    @TempDir
    Path folder;

    static Stream<Arguments> wrongFiles() {
        String entry = "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";
        byte[] good = RawFile.bytes("{\"x\":" + entry + "}", 8);
        byte[] notUtf8 = "{\"?\":1}".getBytes(StandardCharsets.UTF_8);
        notUtf8[2] = (byte) 0xFF;
        return Stream.of(
                Arguments.of("no bytes at all", new byte[0], "has 0 bytes, must begin with 8"),
                Arguments.of("less than a length", new byte[7], "has 7 bytes, must begin with 8"),
                Arguments.of("header of 0 bytes", RawFile.bytes("", 0), "length is 0 bytes, must be at least 2"),
                Arguments.of("header of 1 byte", RawFile.bytes("{", 0), "length is 1 bytes, must be at least 2"),
                Arguments.of(
                        "header beyond the bound",
                        RawFile.claiming(100_000_001, new byte[10], 0),
                        "length is 100000001 bytes, must be at most 100000000"),
                Arguments.of(
                        "header beyond a signed long",
                        RawFile.claiming(-1, new byte[10], 0),
                        "length is 18446744073709551615 bytes, must be at most 100000000"),
                Arguments.of(
                        "header beyond the file",
                        RawFile.claiming(50_000_000, new byte[10], 0),
                        "length is 50000000 bytes, but only 10 follow"),
                Arguments.of("not UTF-8", RawFile.bytes(notUtf8, 0), "not UTF-8"),
                Arguments.of(
                        "UTF-16", RawFile.bytes("{}".getBytes(StandardCharsets.UTF_16BE), 0), "must be a JSON object"),
                Arguments.of(
                        "byte order mark", RawFile.bytes("\uFEFF{}", 0), "must be a JSON object that begins with {"),
                Arguments.of("an array", RawFile.bytes("[]", 0), "begins with \"[\", must be a JSON object"),
                Arguments.of("leading space", RawFile.bytes(" {}", 0), "begins with \" \", must be a JSON object"),
                Arguments.of("not JSON", RawFile.bytes("{x}", 0), "not the JSON of a safetensors file"),
                Arguments.of("JSON that stops", RawFile.bytes("{\"x\":{\"dtype\":", 0), "not the JSON"),
                Arguments.of("NaN", RawFile.bytes("{\"x\":NaN}", 0), "not the JSON"),
                Arguments.of("something after the JSON", RawFile.bytes("{} {}", 0), "goes on after its JSON object"),
                Arguments.of("garbage after the JSON", RawFile.bytes("{}\0", 0), "not the JSON"),
                Arguments.of(
                        "two tensors of one name",
                        RawFile.bytes("{\"x\":" + entry + ",\"x\":" + entry + "}", 8),
                        "Duplicate field 'x'"),
                Arguments.of(
                        "two shapes in one entry",
                        RawFile.bytes(
                                "{\"x\":{\"shape\":[1],\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                        "Duplicate field 'shape'"),
                Arguments.of(
                        "one metadata key twice",
                        RawFile.bytes("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0),
                        "Duplicate field 'a'"),
                Arguments.of(
                        "half of a surrogate pair",
                        RawFile.bytes("{\"\\ud800\":" + entry + "}", 8),
                        "has half of a surrogate pair, must be valid Unicode"),
                Arguments.of(
                        "metadata is a list", RawFile.bytes("{\"__metadata__\":[]}", 0), "__metadata__ is an array"),
                Arguments.of("metadata is a text", RawFile.bytes("{\"__metadata__\":\"\"}", 0), "__metadata__ is \"\""),
                Arguments.of(
                        "metadata holds a number",
                        RawFile.bytes("{\"__metadata__\":{\"a\":1}}", 0),
                        "__metadata__: \"a\" is 1, must be a string"),
                Arguments.of(
                        "an entry that is none",
                        RawFile.bytes("{\"x\":3}", 0),
                        "tensor \"x\": is 3, must be an object"),
                entry("\"shape\":[2],\"data_offsets\":[0,8]", "has no dtype"),
                entry("\"dtype\":\"F32\",\"data_offsets\":[0,8]", "has no shape"),
                entry("\"dtype\":\"F32\",\"shape\":[2]", "has no data_offsets"),
                entry(
                        "\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]",
                        "dtype is \"F8_E4M3\", must be one of [I64, F64, F32, I32, BF16, F16, I16, I8, U8, BOOL]"),
                entry("\"dtype\":7,\"shape\":[8],\"data_offsets\":[0,8]", "dtype is 7, must be one of"),
                entry("\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]", "shape is 2, must be an array"),
                entry("\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]", "shape holds -2 at 0, must be whole"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]",
                        "shape holds 2.0 at 0, must be whole"),
                entry("\"dtype\":\"F32\",\"shape\":[1,\"2\"],\"data_offsets\":[0,8]", "shape holds \"2\" at 1"),
                entry("\"dtype\":\"F32\",\"shape\":[null],\"data_offsets\":[0,8]", "shape holds null at 0"),
                entry("\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]", "shape holds an array at 0"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]",
                        "shape holds 9223372036854775808 at 0, must be whole numbers from 0 to 2^63 - 1"),
                entry("\"dtype\":\"F32\",\"shape\":[" + "9".repeat(5000) + "],\"data_offsets\":[0,8]", "not the JSON"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]",
                        "shape [4294967296, 4294967296] overflows"),
                entry("\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]", "overflows"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]",
                        "shape [0, 4294967296, 4294967296] overflows"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[" + "1,".repeat(64) + "2],\"data_offsets\":[0,8]",
                        "shape has more than 64 numbers"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":8", "data_offsets is 8, must be an array"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8]", "data_offsets has 1 numbers, must be"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]", "data_offsets has more than 2"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]", "data_offsets holds -8 at 0"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]", "begin must not be beyond end"),
                entry(
                        "\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]",
                        "data_offsets [0, 8] span 8 bytes, must span 12 for shape [3] of F32"),
                entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]", "data begins at 4, after a gap"),
                Arguments.of(
                        "a hole between two",
                        RawFile.bytes(
                                "{\"x\":" + entry + ",\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}}",
                                10),
                        "tensor \"y\": data begins at 9, after a gap: must begin at 8"),
                Arguments.of(
                        "two that overlap",
                        RawFile.bytes(
                                "{\"x\":" + entry + ",\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[7,9]}}",
                                9),
                        "tensor \"y\": data begins at 7, an overlap: must begin at 8"),
                Arguments.of(
                        "two that are one",
                        RawFile.bytes("{\"x\":" + entry + ",\"y\":" + entry + "}", 8),
                        "an overlap"),
                Arguments.of(
                        "data cut short",
                        Arrays.copyOf(good, good.length - 1),
                        "is truncated: has 7 bytes of data, must have 8"),
                Arguments.of("data that goes on", Arrays.copyOf(good, good.length + 1), "must end"),
                Arguments.of(
                        "deep nesting",
                        RawFile.bytes("{\"x\":{\"extra\":" + "[".repeat(200_000) + "]".repeat(200_000) + "}}", 0),
                        "nesting depth"),
                Arguments.of(
                        "a name that would write on the terminal",
                        RawFile.bytes("{\"\\u001b[31mred\\u202e\":3}", 0),
                        "tensor \"\\u001b[31mred\\u202e\": is 3"));
    }

    private static Arguments entry(String fields, String message) {
        return Arguments.of(
                fields.substring(0, Math.min(60, fields.length())),
                RawFile.bytes("{\"x\":{" + fields + "}}", 8),
                message);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongFiles")
    void isRefused(String what, byte[] bytes, String message) throws IOException {
        Path path = RawFile.write(folder, bytes);
        assertThatThrownBy(() -> Safetensors.read(path))
                .as(what)
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(message);
        assertThatThrownBy(() -> Safetensors.read(new ByteArrayInputStream(bytes), "resource"))
                .as(what)
                .isExactlyInstanceOf(FileFormatException.class)
                .hasMessageStartingWith("resource: ")
                .hasMessageContaining(message);
    }

    @Test
    void fieldsOfLaterVersionsArePassedOver() throws IOException {
        byte[] bytes = RawFile.bytes(
                "{\"x\":{\"dtype\":\"U8\",\"note\":{\"deep\":[1,{}]},\"shape\":[1],\"data_offsets\":[0,1]}}  ", 1);
        assertThat(Safetensors.read(RawFile.write(folder, bytes)).tensor("x").shape())
                .containsExactly(1);
    }

    @Test
    void whatIsNoFileIsRefused() {
        assertThatThrownBy(() -> Safetensors.read(folder))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("must be a regular file");
        assertThatThrownBy(() -> Safetensors.read(folder.resolve("none.safetensors")))
                .isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void aTensorLargerThanAHostTensorIsRefused() throws IOException {
        long size = 3L << 30;
        byte[] head = RawFile.bytes(header(size), 0);
        Path path = RawFile.write(folder, head);
        // Sparse where the file system can: nothing is written.
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(head.length + size);
        }
        assertThatThrownBy(() -> Safetensors.read(path))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("tensor \"x\" has 3221225472 bytes, must have at most 2147483519");
        Files.delete(path);
    }

    @Test
    void whatAFileMerelyClaimsIsNotAllocated() throws IOException {
        byte[] claimsData = RawFile.bytes(header(2_000_000_000), 100);
        byte[] claimsHeader = RawFile.claiming(99_999_999, new byte[100], 0);
        for (byte[] bytes : new byte[][] {claimsData, claimsHeader}) {
            Path path = RawFile.write(folder, bytes);
            // Once unmeasured: loading classes takes memory too.
            reads(() -> Safetensors.read(path), 0);
            reads(() -> Safetensors.read(new ByteArrayInputStream(bytes), "stream"), 0);
            long before = MemoryBound.allocated();
            boolean fileReads = reads(() -> Safetensors.read(path), 0);
            boolean streamReads = reads(() -> Safetensors.read(new ByteArrayInputStream(bytes), "stream"), 0);
            long taken = MemoryBound.allocated() - before;
            assertThat(fileReads || streamReads).isFalse();
            assertThat(taken).as("bytes of heap and direct memory").isLessThan(1_000_000);
        }
    }

    @Test
    void aStreamThatGivesLittleAtATimeIsReadWhole() throws IOException {
        byte[] bytes = RawFile.bytes("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        bytes[bytes.length - 1] = 0x40;
        InputStream slow = new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] target, int offset, int length) {
                return super.read(target, offset, Math.min(1, length));
            }
        };
        assertThat(Safetensors.read(slow, "slow").tensor("x").toFloatArray()).containsExactly(0, 2);
    }

    @Test
    void damagedFilesAreReadOrRefusedAndNothingElse() throws IOException {
        Path valid = folder.resolve("valid.safetensors");
        Safetensors.write(
                valid,
                Map.of(
                        "query", Tensor.random(1, 1, 2, 3, 4),
                        "mask", Tensor.of(new boolean[] {true, false}, 2),
                        "empty", Tensor.zeros(DType.INT64, 0, 5)),
                Map.of("op", "attention", "name", "größe"));
        byte[] original = Files.readAllBytes(valid);
        int refused = 0;
        int read = 0;
        Random random = new Random(20260101);
        for (int round = 0; round < 4000; round++) {
            byte[] damaged = damaged(original, random);
            Path path = RawFile.write(folder, damaged);
            boolean fileReads = reads(() -> Safetensors.read(path), round);
            boolean streamReads = reads(() -> Safetensors.read(new ByteArrayInputStream(damaged), "s"), round);
            assertThat(streamReads).as("round " + round).isEqualTo(fileReads);
            read += fileReads ? 1 : 0;
            refused += fileReads ? 0 : 1;
        }
        assertThat(read).as("files that were read").isGreaterThan(100);
        assertThat(refused).as("files that were refused").isGreaterThan(1000);
    }

    private static byte[] damaged(byte[] original, Random random) {
        if (random.nextInt(8) == 0) {
            return Arrays.copyOf(original, random.nextInt(original.length));
        }
        byte[] bytes = original.clone();
        int flips = 1 + random.nextInt(3);
        for (int n = 0; n < flips; n++) {
            int at = random.nextInt(bytes.length);
            boolean anyByte = random.nextBoolean();
            // Digits and punctuation do more harm than noise, which the JSON parser refuses at once.
            bytes[at] = anyByte ? (byte) random.nextInt(256) : (byte) "0123456789,:[]{}\"-".charAt(random.nextInt(18));
        }
        return bytes;
    }

    private interface Read {
        SafetensorsFile read() throws IOException;
    }

    private static boolean reads(Read read, int round) {
        try {
            read.read().tensors().values().forEach(Tensor::toDoubleArray);
            return true;
        } catch (FileFormatException e) {
            return false;
        } catch (IOException e) {
            throw new AssertionError("round " + round, e);
        }
    }

    private static String header(long bytes) {
        return "{\"x\":{\"dtype\":\"U8\",\"shape\":[" + bytes + "],\"data_offsets\":[0," + bytes + "]}}";
    }
}
