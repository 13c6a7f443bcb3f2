package dev.attention4j.bench.training;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Makes {@link Examples} of text files. */
final class Texts {
    /** The number of what begins and ends a word, and fills up the shorter texts of a batch. */
    static final int END = 0;

    /** The number of a sentence's word that is too rare to have one of its own. */
    private static final int RARE = 1;

    private static final int LEAST_LETTERS = 3;
    private static final int MOST_LETTERS = 15;
    /** A letter of fewer than one in 500 words is left out, and those words with it. */
    private static final int RARE_LETTER = 500;

    /** Words of a sentence: the rest is cut off. */
    private static final int MOST_WORDS = 48;

    private static final int LEAST_WORDS = 4;
    private static final int LEAST_TIMES = 3;
    private static final Pattern BETWEEN = Pattern.compile("(?m)^%\\s*$");
    private static final Pattern WORD = Pattern.compile("\\p{L}+(?:'\\p{L}+)*|[.,;:!?\"()*-]");

    private record Text(List<String> words, int ofClass) {}

    private Texts() {}

    private static <T> List<T> shuffled(List<T> all, long seed) {
        List<T> shuffled = new ArrayList<>(all);
        Collections.shuffle(shuffled, new Random(seed));
        return shuffled;
    }

    private static int share(double heldOut, List<?> all) {
        return (int) Math.ceil(heldOut * all.size());
    }

    /** Reads a text in UTF-8, or in Latin-1 where it is none. */
    private static String read(Path file, String debianPackage) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IllegalArgumentException("--text: there is no file " + file + "; install Debian's package "
                    + debianPackage + " or name another file by --text");
        }
        byte[] bytes = Files.readAllBytes(file);
        String text = new String(bytes, StandardCharsets.UTF_8);
        return text.indexOf('\uFFFD') < 0 ? text : new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** Returns the words of a list, a line each, that have lower-case letters alone. */
    static List<String> words(Path file) throws IOException {
        List<String> all = read(file, "wamerican")
                .lines()
                .filter(word -> word.length() >= LEAST_LETTERS && word.length() <= MOST_LETTERS)
                .filter(word -> word.chars().allMatch(Character::isLowerCase))
                .distinct()
                .toList();
        Map<Integer, Long> counts = all.stream()
                .flatMap(word -> word.chars().distinct().boxed())
                .collect(Collectors.groupingBy(letter -> letter, Collectors.counting()));
        // Foreign letters, of which there is too little to learn.
        List<String> words = all.stream()
                .filter(word -> word.chars().allMatch(letter -> counts.get(letter) * RARE_LETTER >= all.size()))
                .toList();
        if (words.size() < 2) {
            throw new IllegalArgumentException("--text: " + file + " has " + words.size() + " words of " + LEAST_LETTERS
                    + " to " + MOST_LETTERS + " lower-case letters, must have a line for each of many");
        }
        return words;
    }

    /** Words as letters, of which the next is to be told. */
    static Examples letters(List<String> words, double heldOut, long seed) {
        TreeSet<Character> letters = new TreeSet<>();
        words.forEach(word -> word.chars().forEach(letter -> letters.add((char) letter)));
        List<String> tokens = new ArrayList<>(List.of(""));
        letters.forEach(letter -> tokens.add(String.valueOf(letter)));
        Map<Character, Integer> numbers = new LinkedHashMap<>();
        letters.forEach(letter -> numbers.put(letter, numbers.size() + 1));
        List<Batch.Example> examples = new ArrayList<>();
        for (String word : shuffled(words, seed)) {
            int[] given = new int[word.length() + 1];
            int[] next = new int[word.length() + 1];
            for (int n = 0; n < word.length(); n++) {
                next[n] = numbers.get(word.charAt(n));
                given[n + 1] = next[n];
            }
            next[word.length()] = END;
            examples.add(new Batch.Example(given, next));
        }
        return Examples.of(tokens, List.of(), examples, share(heldOut, examples));
    }

    /**
     * Sentences of files as words, of which the file is to be told. The files are those of the program {@code fortune}: texts with a
     * line {@code %} between them. A line that begins with {@code --} names the author, and is left out.
     */
    static Examples sentences(List<Path> files, double heldOut, long seed) throws IOException {
        if (files.size() < 2) {
            throw new IllegalArgumentException("--text: " + files + ", must be two files or more, one for each class");
        }
        List<Text> ordered = new ArrayList<>();
        for (Path file : files) {
            int before = ordered.size();
            for (String text : BETWEEN.splitAsStream(read(file, "fortunes")).toList()) {
                List<String> words = WORD.matcher(text.replaceAll("(?m)^\\s*--.*(?:\\R\\s{8,}.*)*", "")
                                .toLowerCase(Locale.ROOT))
                        .results()
                        .limit(MOST_WORDS)
                        .map(MatchResult::group)
                        .toList();
                if (words.size() >= LEAST_WORDS) {
                    ordered.add(new Text(words, files.indexOf(file)));
                }
            }
            if (ordered.size() - before < 10) {
                throw new IllegalArgumentException("--text: " + file + " has " + (ordered.size() - before)
                        + " texts, must have 10 or more, with a line % between two");
            }
        }
        Map<String, Integer> times = new LinkedHashMap<>();
        List<Text> texts = shuffled(ordered, seed);
        int out = share(heldOut, texts);
        // What is held out gives no word a number.
        texts.subList(out, texts.size())
                .forEach(text -> text.words.forEach(word -> times.merge(word, 1, Integer::sum)));
        List<String> tokens = new ArrayList<>(List.of("", "?"));
        times.entrySet().stream()
                .filter(word -> word.getValue() >= LEAST_TIMES)
                .sorted(Map.Entry.<String, Integer>comparingByValue()
                        .reversed()
                        .thenComparing(Map.Entry.comparingByKey(Comparator.naturalOrder())))
                .forEach(word -> tokens.add(word.getKey()));
        Map<String, Integer> numbers = new LinkedHashMap<>();
        for (int n = 0; n < tokens.size(); n++) {
            numbers.put(tokens.get(n), n);
        }
        List<Batch.Example> examples = new ArrayList<>();
        for (Text text : texts) {
            int[] words = text.words.stream()
                    .mapToInt(word -> numbers.getOrDefault(word, RARE))
                    .toArray();
            examples.add(new Batch.Example(words, new int[] {text.ofClass}));
        }
        List<String> names =
                files.stream().map(file -> file.getFileName().toString()).toList();
        return Examples.of(tokens, names, examples, out);
    }
}
