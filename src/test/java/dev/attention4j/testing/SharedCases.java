package dev.attention4j.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Finds the case files next to a checkout, if there are any. */
public final class SharedCases {
    private static final Path FOLDER = Path.of("..", "shared", "conformance");

    private SharedCases() {}

    /** Returns them sorted; empty with a message if the folder is missing, which is a failure on a build server. */
    public static List<Path> find() throws IOException {
        if (!Files.isDirectory(FOLDER)) {
            if ("true".equalsIgnoreCase(System.getenv("CI"))) {
                throw new AssertionError(FOLDER + " is missing, must be there where CI=true");
            }
            System.out.println("Not present: " + FOLDER.toAbsolutePath().normalize()
                    + "; the cases in it are not checked, the project's own are.");
            return List.of();
        }
        try (Stream<Path> files = Files.walk(FOLDER)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(".safetensors"))
                    .sorted()
                    .toList();
            if (found.isEmpty()) {
                throw new AssertionError(FOLDER + " holds no .safetensors file");
            }
            return found;
        }
    }
}
