package dev.attention4j.cli.minilm;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * The model's two files: its weights (ONNX) and its tokenizer's vocabulary. They lie in the jar that ships them, or in
 * a folder as Hugging Face's model page has it.
 *
 * @param weights the content of the ONNX file
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared: a pair on its way to the readers.
record ModelFiles(byte[] weights, byte[] tokenizer) {
    private static final String WEIGHTS = ".onnx";
    private static final String TOKENIZER = "tokenizer.json";

    /** Reads them from the class path, where the jar that ships them is on it. */
    static ModelFiles fromClassPath() throws IOException {
        return new ModelFiles(resource(MiniLm.MODEL), resource(MiniLm.TOKENIZER));
    }

    /**
     * Reads them from a jar or a folder.
     *
     * @throws IOException if there are none
     */
    static ModelFiles read(Path place) throws IOException {
        if (Files.isDirectory(place)) {
            return new ModelFiles(Files.readAllBytes(find(place, WEIGHTS)), Files.readAllBytes(find(place, TOKENIZER)));
        }
        try (ZipFile jar = new ZipFile(place.toFile())) {
            return new ModelFiles(entry(jar, place, WEIGHTS), entry(jar, place, TOKENIZER));
        } catch (ZipException e) {
            throw new IOException(place + ": is no jar (" + e.getMessage() + "), must be one, or a folder", e);
        }
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = MiniLm.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + ": not on the class path");
            }
            return in.readAllBytes();
        }
    }

    /** In the folder itself or in its folder onnx. */
    private static Path find(Path folder, String ending) throws IOException {
        for (Path place : List.of(folder, folder.resolve("onnx"))) {
            if (Files.isDirectory(place)) {
                try (Stream<Path> files = Files.list(place)) {
                    Optional<Path> found = files.filter(file -> file.toString().endsWith(ending))
                            .sorted()
                            .findFirst();
                    if (found.isPresent()) {
                        return found.get();
                    }
                }
            }
        }
        throw new FileNotFoundException(folder + ": has no file *" + ending + ", must hold the model all-MiniLM-L6-v2");
    }

    private static byte[] entry(ZipFile jar, Path place, String ending) throws IOException {
        ZipEntry entry = jar.stream()
                .filter(one -> one.getName().endsWith(ending))
                .findFirst()
                .orElseThrow(() -> new FileNotFoundException(
                        place + ": has no file *" + ending + ", must be the jar of the model all-MiniLM-L6-v2"));
        try (InputStream in = jar.getInputStream(entry)) {
            return in.readAllBytes();
        }
    }
}
