package dev.attention4j.io;

import dev.attention4j.Tensor;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * The weights in a file that Keras 3 saved: {@code .weights.h5}, or {@code .keras}, a zip with one of the former
 * inside. Reading needs jHDF ({@code io.jhdf:jhdf}) on the class path, which is an optional dependency of this library.
 *
 * @param name the path as given
 * @param tensors the data sets of floating-point numbers by path, such as {@code
 *     layers/multi_head_attention/query_dense/vars/0}
 * @param unreadable the paths of data sets of a type unknown to HDF5, such as Keras's bfloat16; saved as float32, float64 or
 *     float16 they can be read
 */
public record KerasFile(String name, Map<String, Tensor> tensors, Set<String> unreadable) {
    /** The dependency's name in errors. */
    static final String DEPENDENCY = "io.jhdf:jhdf";

    /** The name of the weights in a {@code .keras} file. */
    private static final String INNER = "model.weights.h5";

    /** The first bytes of a zip, and of an HDF5 file. */
    private static final byte[] ZIP = {'P', 'K', 3, 4};

    private static final byte[] HDF5 = {(byte) 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

    /** The largest Java array. */
    private static final int MAX_BYTES = Integer.MAX_VALUE - 8;

    /** Weights hardly shrink in a zip, and Keras does not compress them; a zip of zeros unpacks to a thousand times its size. */
    private static final long UNPACKED_PER_BYTE = 64;

    private static final long ALWAYS_UNPACKED = 1 << 20;

    /** Copies the collections, in their order. */
    public KerasFile {
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        unreadable = Collections.unmodifiableSet(new LinkedHashSet<>(unreadable));
    }

    /**
     * Reads a file.
     *
     * @param path a {@code .weights.h5} or {@code .keras} file, which its first bytes tell apart
     * @return its float32, float64 and float16 data sets, as float32 tensors in host memory; whole numbers, such as the
     *     state of a random generator, are left out
     * @throws FileFormatException if it is neither, or damaged; says what was wrong
     * @throws IllegalStateException if jHDF is not on the class path
     * @throws NoSuchFileException if there is no such file
     * @throws IOException if it cannot be read
     */
    public static KerasFile read(Path path) throws IOException {
        String name = path.toString();
        if (Files.isDirectory(path)) {
            throw new FileFormatException(name, "is a directory, must be a .weights.h5 or .keras file");
        }
        byte[] start;
        try (InputStream in = Files.newInputStream(path)) {
            start = in.readNBytes(HDF5.length);
        }
        if (Arrays.equals(start, HDF5)) {
            if (Files.size(path) > MAX_BYTES) {
                throw new FileFormatException(name, "is larger than 2 GiB");
            }
            return of(Files.readAllBytes(path), name);
        }
        if (Arrays.equals(Arrays.copyOf(start, ZIP.length), ZIP)) {
            return of(unzipped(path), name);
        }
        throw new FileFormatException(
                name,
                "begins with " + FileFormatException.quoted(new String(start, StandardCharsets.ISO_8859_1))
                        + ", must be a .weights.h5 file (HDF5) or a .keras file (zip) as Keras 3 saves them");
    }

    private static byte[] unzipped(Path path) throws IOException {
        try (ZipFile zip = new ZipFile(path.toFile())) {
            ZipEntry entry = zip.getEntry(INNER);
            if (entry == null) {
                throw new FileFormatException(
                        path.toString(),
                        "has no " + INNER + " inside, a .keras file must; it holds "
                                + FileFormatException.listed(
                                        zip.stream().map(ZipEntry::getName).toList()));
            }
            try (InputStream in = zip.getInputStream(entry)) {
                long most = Math.max(ALWAYS_UNPACKED, UNPACKED_PER_BYTE * Files.size(path));
                byte[] bytes = in.readNBytes((int) Math.min(most, MAX_BYTES));
                if (in.read() >= 0) {
                    throw new FileFormatException(
                            path.toString(),
                            INNER + " inside is larger than " + bytes.length + " bytes, must be at most 2 GiB, and "
                                    + UNPACKED_PER_BYTE + " times the size of the file");
                }
                return bytes;
            }
        } catch (ZipException | EOFException e) {
            throw new FileFormatException(path.toString(), "is damaged, cannot be read as a zip: " + e.getMessage(), e);
        }
    }

    private static KerasFile of(byte[] hdf5, String name) throws IOException {
        try {
            Hdf5Reader.Content content = Hdf5Reader.read(hdf5, name);
            return new KerasFile(name, content.tensors(), content.opaque());
        } catch (NoClassDefFoundError e) {
            throw new IllegalStateException(
                    name + ": reading Keras's files needs " + DEPENDENCY
                            + " on the class path, an optional dependency of attention4j: add it to your build ("
                            + e.getMessage() + " is missing)",
                    e);
        }
    }

    @Override
    public String toString() {
        return name + " " + tensors;
    }
}
