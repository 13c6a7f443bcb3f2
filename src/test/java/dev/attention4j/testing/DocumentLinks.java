package dev.attention4j.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The documents, and their relative links that lead to no file, or to no heading of it. */
public final class DocumentLinks {
    /** {@code [text](target)}, {@code src="target"}, {@code srcset="target"} and {@code href="target"}. */
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)|(?:src|srcset|href)=\"([^\"]+)\"");

    private static final Pattern CODE = Pattern.compile("(?ms)^```.*?^```|`[^`\n]*`");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
    private static final Pattern ELSEWHERE = Pattern.compile("[a-z]+:.*");

    private DocumentLinks() {}

    /** The documents at the top, in docs/ and in bench/. */
    public static List<Path> documents() throws IOException {
        List<Path> documents = new ArrayList<>();
        for (String directory : new String[] {".", "docs", "bench", "bench/results"}) {
            try (Stream<Path> files = Files.list(Path.of(directory))) {
                files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(documents::add);
            }
        }
        return documents;
    }

    /** The anchors of a document's headings, as GitHub names them. */
    private static Set<String> anchors(Path document) throws IOException {
        String text = Pattern.compile("(?ms)^```.*?^```")
                .matcher(Files.readString(document))
                .replaceAll("");
        return HEADING.matcher(text)
                .results()
                .map(heading -> heading.group(1)
                        .toLowerCase(Locale.ROOT)
                        .replaceAll("[^\\p{L}\\p{N} _-]", "")
                        .replace(' ', '-'))
                .collect(Collectors.toSet());
    }

    private static List<String> broken(Path document) throws IOException {
        List<String> broken = new ArrayList<>();
        Matcher links = LINK.matcher(CODE.matcher(Files.readString(document)).replaceAll("code"));
        while (links.find()) {
            String link = links.group(1) == null ? links.group(2) : links.group(1);
            if (ELSEWHERE.matcher(link).matches()) {
                continue;
            }
            int hash = link.indexOf('#');
            String file = hash < 0 ? link : link.substring(0, hash);
            Path target = file.isEmpty() ? document : document.resolveSibling(file);
            if (!Files.exists(target)) {
                broken.add(document + ": " + link + ", no such file");
            } else if (hash >= 0 && !anchors(target).contains(link.substring(hash + 1))) {
                broken.add(document + ": " + link + ", no such heading");
            }
        }
        return broken;
    }

    /** Returns the broken links of all documents. */
    public static List<String> broken() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path document : documents()) {
            broken.addAll(broken(document));
        }
        return broken;
    }
}
