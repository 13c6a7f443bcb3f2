package dev.attention4j.io;

import static dev.attention4j.io.FileFormatException.quoted;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.attention4j.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * The JSON at the start of a safetensors file.
 *
 * @param entries one for each tensor, in the order of their data, which leaves no gap and has no overlap
 * @param metadata the strings under {@code __metadata__}
 */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata) {
    private static final JsonFactory JSON = new JsonFactoryBuilder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            // A cache of names shared by all files would keep the names of files that are never read again.
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(16)
                    .maxNumberLength(40)
                    .maxStringLength(SafetensorsHeader.MAX_BYTES)
                    .build())
            .build();

    /** The limit of the reference implementation. */
    static final int MAX_BYTES = 100_000_000;

    static final int MAX_AXES = 64;

    /** The largest tensor of Tensor.zeros: a Java buffer is indexed by an int. */
    static final long MAX_TENSOR_BYTES = Integer.MAX_VALUE - 128L;

    static final String METADATA = "__metadata__";

    /** The types in the order in which the reference implementation writes them, larger elements first, which aligns all. */
    private static final List<DType> DTYPES = List.of(
            DType.INT64,
            DType.FLOAT64,
            DType.FLOAT32,
            DType.INT32,
            DType.BFLOAT16,
            DType.FLOAT16,
            DType.INT16,
            DType.INT8,
            DType.UINT8,
            DType.BOOL);

    /** The names of the same types. */
    private static final List<String> DTYPE_NAMES =
            List.of("I64", "F64", "F32", "I32", "BF16", "F16", "I16", "I8", "U8", "BOOL");

    /**
     * A tensor's position: bytes begin to end, counted from the end of the header. The dtype is null if the tensor is not
     * wanted.
     */
    @SuppressWarnings("ArrayRecordComponent") // Entries are never compared.
    record Entry(String name, DType dtype, long[] shape, long begin, long end) {
        long bytes() {
            return end - begin;
        }

        boolean isWanted() {
            return dtype != null;
        }
    }

    /** Parses a header. Of tensors that are not wanted only the position is checked: this library may lack their types. */
    static SafetensorsHeader read(byte[] bytes, String file, Predicate<String> wanted) throws FileFormatException {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new FileFormatException(file, "the header is not UTF-8, must be JSON in UTF-8", e);
        }
        if (!text.startsWith("{")) {
            throw new FileFormatException(
                    file,
                    "the header begins with " + quoted(text.substring(0, 1))
                            + ", must be a JSON object that begins with {");
        }
        try (JsonParser parser = JSON.createParser(text)) {
            Reader reader = new Reader(file, parser, wanted);
            reader.readObject();
            return new SafetensorsHeader(reader.entriesInOrder(), reader.metadata);
        } catch (JsonProcessingException e) {
            throw new FileFormatException(
                    file,
                    "the header is not the JSON of a safetensors file: "
                            + FileFormatException.printable(e.getOriginalMessage()) + Reader.where(e),
                    e);
        } catch (FileFormatException e) {
            throw e;
        } catch (IOException e) {
            throw new FileFormatException(file, "the header cannot be read: " + e.getMessage(), e);
        }
    }

    /** The end of the last tensor, counted from the end of the header. */
    long dataBytes() {
        return entries.isEmpty() ? 0 : entries.get(entries.size() - 1).end();
    }

    /** The names of all tensors, in the order of their data. */
    List<String> names() {
        return entries.stream().map(Entry::name).toList();
    }

    static List<String> dtypeNames() {
        return DTYPE_NAMES;
    }

    /** Returns null for an unknown name. */
    static DType dtype(String name) {
        int at = DTYPE_NAMES.indexOf(name);
        return at < 0 ? null : DTYPES.get(at);
    }

    static String dtypeName(DType dtype) {
        return DTYPE_NAMES.get(writingOrder(dtype));
    }

    static int writingOrder(DType dtype) {
        return DTYPES.indexOf(dtype);
    }

    /**
     * The bytes of a shape. Every intermediate product must fit a long, because the strides of an empty tensor must not overflow
     * either.
     *
     * @throws ArithmeticException if one does not
     */
    static long byteCount(DType dtype, long... shape) {
        long product = dtype.bytes();
        for (long size : shape) {
            product = Math.multiplyExact(product, Math.max(1, size));
        }
        return Arrays.stream(shape).anyMatch(size -> size == 0) ? 0 : product;
    }

    /** Parses one header, token by token, and checks everything in it. */
    private static final class Reader {
        private final String file;
        private final JsonParser parser;
        private final Predicate<String> wanted;
        private final List<Entry> entries = new ArrayList<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        private Reader(String file, JsonParser parser, Predicate<String> wanted) {
            this.file = file;
            this.parser = parser;
            this.wanted = wanted;
        }

        private static String where(JsonProcessingException e) {
            return e.getLocation() == null
                    ? ""
                    : " (character " + e.getLocation().getCharOffset() + " of the header)";
        }

        private void readObject() throws IOException {
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                checkUnicode(name);
                parser.nextToken();
                if (name.equals(METADATA)) {
                    readMetadata();
                } else {
                    entries.add(readEntry(name));
                }
            }
            if (parser.nextToken() != null) {
                throw new FileFormatException(
                        file, "the header goes on after its JSON object, must end there (spaces may follow)");
            }
        }

        /** Treats null as none, as the format's own library does. */
        private void readMetadata() throws IOException {
            if (parser.currentToken() == JsonToken.VALUE_NULL) {
                return;
            }
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw new FileFormatException(file, "__metadata__ is " + shown() + ", must be an object of strings");
            }
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                if (parser.nextToken() != JsonToken.VALUE_STRING) {
                    throw new FileFormatException(
                            file, "__metadata__: " + quoted(name) + " is " + shown() + ", must be a string");
                }
                checkUnicode(name);
                checkUnicode(parser.getText());
                metadata.put(name, parser.getText());
            }
        }

        /** Refuses lone surrogates, which JSON can spell but UTF-8 cannot: the text could not be written again. */
        private void checkUnicode(String text) throws FileFormatException {
            if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
                throw new FileFormatException(
                        file,
                        "the header's text " + quoted(text) + " has half of a surrogate pair, must be valid Unicode");
            }
        }

        private Entry readEntry(String name) throws IOException {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw refused(name, "is " + shown() + ", must be an object with dtype, shape and data_offsets");
            }
            boolean isWanted = wanted.test(name);
            boolean hasType = false;
            DType dtype = null;
            long[] shape = null;
            long[] offsets = null;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String field = parser.currentName();
                parser.nextToken();
                switch (field) {
                    case "dtype" -> {
                        hasType = true;
                        dtype = isWanted ? readDType(name) : null;
                    }
                    case "shape" -> shape = readNumbers(name, "shape", MAX_AXES);
                    case "data_offsets" -> offsets = readNumbers(name, "data_offsets", 2);
                    // Ignored, as by the reference implementation: later versions of the format may add fields.
                    default -> parser.skipChildren();
                }
            }
            if (!hasType || shape == null || offsets == null) {
                String missing = !hasType ? "dtype" : shape == null ? "shape" : "data_offsets";
                throw refused(name, "has no " + missing + ", must have dtype, shape and data_offsets");
            }
            if (offsets.length != 2) {
                throw refused(name, "data_offsets has " + offsets.length + " numbers, must be [begin, end]");
            }
            return checked(new Entry(name, dtype, shape, offsets[0], offsets[1]));
        }

        private DType readDType(String name) throws IOException {
            DType dtype = parser.currentToken() == JsonToken.VALUE_STRING ? dtype(parser.getText()) : null;
            if (dtype == null) {
                throw refused(name, "dtype is " + shown() + ", must be one of " + dtypeNames());
            }
            return dtype;
        }

        private long[] readNumbers(String name, String field, int most) throws IOException {
            if (parser.currentToken() != JsonToken.START_ARRAY) {
                throw refused(name, field + " is " + shown() + ", must be an array of whole numbers");
            }
            long[] numbers = new long[most];
            int count = 0;
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                if (count == most) {
                    throw refused(name, field + " has more than " + most + " numbers, must have at most " + most);
                }
                boolean fits = parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                        && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
                if (!fits || parser.getLongValue() < 0) {
                    throw refused(
                            name,
                            field + " holds " + shown() + " at " + count
                                    + ", must be whole numbers from 0 to 2^63 - 1");
                }
                numbers[count++] = parser.getLongValue();
            }
            return Arrays.copyOf(numbers, count);
        }

        private Entry checked(Entry entry) throws FileFormatException {
            if (entry.begin() > entry.end()) {
                throw refused(
                        entry.name(),
                        "data_offsets are [" + entry.begin() + ", " + entry.end() + "], begin must not be beyond end");
            }
            if (entry.dtype() == null) {
                return entry;
            }
            long needed;
            try {
                needed = byteCount(entry.dtype(), entry.shape());
            } catch (ArithmeticException e) {
                throw new FileFormatException(
                        file,
                        about(entry.name()) + "shape " + Arrays.toString(entry.shape())
                                + " overflows, must have less than 2^63 bytes",
                        e);
            }
            if (entry.bytes() != needed) {
                throw refused(
                        entry.name(),
                        "data_offsets [" + entry.begin() + ", " + entry.end() + "] span " + entry.bytes()
                                + " bytes, must span "
                                + needed + " for shape " + Arrays.toString(entry.shape()) + " of "
                                + dtypeName(entry.dtype()));
            }
            return entry;
        }

        private List<Entry> entriesInOrder() throws FileFormatException {
            entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
            long end = 0;
            for (Entry entry : entries) {
                if (entry.begin() != end) {
                    throw refused(
                            entry.name(),
                            "data begins at " + entry.begin() + (entry.begin() < end ? ", an overlap" : ", after a gap")
                                    + ": must begin at " + end + ", where the data before it ends");
                }
                end = entry.end();
            }
            return List.copyOf(entries);
        }

        /** The current token, for a message. */
        private String shown() throws IOException {
            return switch (parser.currentToken()) {
                case START_OBJECT -> "an object";
                case START_ARRAY -> "an array";
                case VALUE_STRING -> quoted(parser.getText());
                default -> FileFormatException.printable(parser.getText());
            };
        }

        private FileFormatException refused(String name, String problem) {
            return new FileFormatException(file, about(name) + problem);
        }

        private static String about(String name) {
            return "tensor " + quoted(name) + ": ";
        }
    }
}
