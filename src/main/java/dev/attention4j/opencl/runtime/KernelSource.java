package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads a kernel file from the jar, with its includes.
 *
 * <p>The host resolves includes because a driver has no path into a jar. Each file is included once, and {@code #line}
 * directives make compilers name the original file and line.
 */
final class KernelSource {
    private static final String ROOT = "/dev/attention4j/kernels/";
    private static final Pattern INCLUDE = Pattern.compile("\\s*#include\\s+\"([^\"]+)\"\\s*");

    /** The name by which kernels include the functions printed from expressions; no file has it. */
    private static final String EXPRESSIONS = "EXPRESSIONS";

    private KernelSource() {}

    /** Returns the translation unit of a file under {@code opencl/}, such as {@code staged/scores.cl}. */
    static String read(String file) {
        return read(file, "");
    }

    /** Returns the translation unit of a file that includes printed functions of expressions. */
    static String read(String file, String expressions) {
        StringBuilder text = new StringBuilder();
        append(file, expressions, text, new HashSet<>());
        return text.toString();
    }

    private static void append(String file, String expressions, StringBuilder text, Set<String> seen) {
        if (!seen.add(file)) {
            return;
        }
        text.append("#line 1 \"").append(file).append("\"\n");
        int line = 0;
        for (String content :
                (file.equals(EXPRESSIONS) ? expressions : load(file)).lines().toList()) {
            line++;
            Matcher include = INCLUDE.matcher(content);
            if (include.matches()) {
                append(include.group(1), expressions, text, seen);
                text.append("#line ")
                        .append(line + 1)
                        .append(" \"")
                        .append(file)
                        .append("\"\n");
            } else {
                text.append(content).append('\n');
            }
        }
    }

    private static String load(String file) {
        try (InputStream stream = KernelSource.class.getResourceAsStream(ROOT + file)) {
            if (stream == null) {
                throw new IllegalArgumentException("no kernel file opencl/" + file + " in the jar");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
