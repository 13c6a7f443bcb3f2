package dev.attention4j.opencl.runtime;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The program {@code ld}, with which PoCL links what it compiled. Without it PoCL ends the process at the first kernel. */
final class PoclLinker {
    private static final String NAME = "ld";

    /** Later versions can link by themselves. */
    private static final int LAST_THAT_NEEDS_IT = 5;

    private static final Pattern VERSION = Pattern.compile("pocl (\\d+)\\.", Pattern.CASE_INSENSITIVE);

    private PoclLinker() {}

    /**
     * Looks for the linker.
     *
     * @param environment of the process
     * @param platformVersion as PoCL gives it, such as "OpenCL 3.0 PoCL 3.1"
     * @return what is wrong, one clause; empty if nothing is
     */
    static Optional<String> complaint(Map<String, String> environment, String platformVersion) {
        Matcher version = VERSION.matcher(platformVersion);
        if (!version.find() || Integer.parseInt(version.group(1)) > LAST_THAT_NEEDS_IT) {
            return Optional.empty();
        }
        String path = environment.getOrDefault("PATH", "");
        for (String directory : path.split(File.pathSeparator, -1)) {
            if (!directory.isEmpty() && isThere(directory)) {
                return Optional.empty();
            }
        }
        return Optional.of(
                "PoCL ends the process without the linker ld (of binutils), which is in no directory of PATH=" + path);
    }

    private static boolean isThere(String directory) {
        try {
            Path linker = Path.of(directory, NAME);
            return Files.isRegularFile(linker) && Files.isExecutable(linker);
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
