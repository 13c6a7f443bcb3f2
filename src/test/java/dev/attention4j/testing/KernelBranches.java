package dev.attention4j.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.anarres.cpp.DefaultPreprocessorListener;
import org.anarres.cpp.LexerException;
import org.anarres.cpp.Preprocessor;
import org.anarres.cpp.Source;
import org.anarres.cpp.StringLexerSource;
import org.anarres.cpp.Token;

/**
 * The code of {@code opencl/} that builds compile, as far as their options decide it: the branches of #if, #ifdef, #elif
 * and #else, each named by its file, line and text, such as {@code staged/softmax.cl:70 #ifdef SINKS}. Defaults (#ifndef
 * around one #define) do not count.
 */
public final class KernelBranches {
    private static final Path ROOT = Path.of("opencl");
    private static final Pattern INCLUDE = Pattern.compile("\\s*#include\\s+\"([^\"]+)\"\\s*");
    private static final Pattern BRANCH = Pattern.compile("#(if|ifdef|ifndef|elif|else)\\b.*");
    private static final Pattern DEFINE = Pattern.compile("-D(\\w+)=(\\S+)");
    private static final String MARK = "BRANCH_";

    private final List<String> names = new ArrayList<>();
    private final Set<String> taken = new TreeSet<>();
    private final Set<String> leftOut = new TreeSet<>();

    /** Records the branches that a build takes and leaves out. */
    public void build(String file, String options) {
        Set<String> there = new HashSet<>();
        StringBuilder source = new StringBuilder();
        append(file, source, new HashSet<>(), there);
        Set<String> found = new HashSet<>();
        try (Preprocessor preprocessor = new Preprocessor(new StringLexerSource(source.toString(), true))) {
            // Pragmas that it does not know are warnings, and exceptions unless somebody listens.
            preprocessor.setListener(new DefaultPreprocessorListener() {
                @Override
                public void handleWarning(Source where, int line, int column, String warning) {}
            });
            for (Matcher define = DEFINE.matcher(options); define.find(); ) {
                preprocessor.addMacro(define.group(1), define.group(2));
            }
            for (Token token = preprocessor.token(); token.getType() != Token.EOF; token = preprocessor.token()) {
                if (token.getType() == Token.IDENTIFIER && token.getText().startsWith(MARK)) {
                    found.add(names.get(Integer.parseInt(token.getText().substring(MARK.length()))));
                }
            }
        } catch (IOException | LexerException e) {
            throw new AssertionError("opencl/" + file + " with " + options, e);
        }
        taken.addAll(found);
        there.removeAll(found);
        leftOut.addAll(there);
    }

    /** Appends a file without its includes, with a mark after each directive that begins a branch. */
    private void append(String file, StringBuilder source, Set<String> seen, Set<String> there) {
        if (!seen.add(file)) {
            return;
        }
        List<String> lines = lines(ROOT.resolve(file));
        String name = "";
        for (int n = 0; n < lines.size(); n++) {
            String line = lines.get(n);
            Matcher include = INCLUDE.matcher(line);
            if (include.matches()) {
                // The functions of expressions are printed, and in no file.
                if (!include.group(1).equals("EXPRESSIONS")) {
                    append(include.group(1), source, seen, there);
                }
                continue;
            }
            source.append(line).append('\n');
            if (isBranch(lines, n)) {
                name = file + ":" + (n + 1) + " " + line.replaceAll("\\s*\\\\$", "");
                there.add(name);
            }
            // After the whole directive, which may have several lines.
            if (!name.isEmpty() && !line.endsWith("\\")) {
                source.append(MARK).append(names.size()).append('\n');
                names.add(name);
                name = "";
            }
        }
    }

    private static boolean isBranch(List<String> lines, int n) {
        boolean isDefault = lines.get(n).startsWith("#ifndef")
                && lines.get(n + 1).startsWith("#define")
                && lines.get(n + 2).startsWith("#endif");
        return !isDefault && BRANCH.matcher(lines.get(n)).matches();
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the branches that no build took. */
    public Set<String> neverTaken() {
        Set<String> never = all();
        never.removeAll(taken);
        return never;
    }

    /** Returns the branches that no build left out. */
    public Set<String> neverLeftOut() {
        Set<String> never = all();
        never.removeAll(leftOut);
        return never;
    }

    /** Returns the branches of all files, in builds or not. */
    private static Set<String> all() {
        Set<String> all = new TreeSet<>();
        KernelBranches fresh = new KernelBranches();
        try (Stream<Path> files = Files.walk(ROOT)) {
            files.filter(Files::isRegularFile)
                    .map(file -> ROOT.relativize(file).toString())
                    .forEach(file -> fresh.append(file, new StringBuilder(), new HashSet<>(), all));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all;
    }
}
