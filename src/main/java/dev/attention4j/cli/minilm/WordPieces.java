package dev.attention4j.cli.minilm;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Makes tokens of sentences as BERT does: lower case without accents, split at blanks and punctuation, and each word into
 * the longest pieces that the vocabulary has (Devlin et al., "BERT", 2019). The vocabulary comes with the model.
 */
public final class WordPieces {
    private static final String BEGIN = "[CLS]";
    private static final String END = "[SEP]";
    private static final String UNKNOWN = "[UNK]";
    private static final String CONTINUED = "##";
    private static final int LONGEST_WORD = 100;
    private static final Pattern ACCENT = Pattern.compile("\\p{Mn}");
    /** These stand for themselves in any text. */
    private static final Pattern SPECIAL = Pattern.compile("\\[(?:PAD|UNK|CLS|SEP|MASK)]");

    /** Blocks of ideographs, first and last: each of these characters is a word. */
    private static final int[][] IDEOGRAPHS = {
        {0x4E00, 0x9FFF},
        {0x3400, 0x4DBF},
        {0x20000, 0x2A6DF},
        {0x2A700, 0x2B73F},
        {0x2B740, 0x2B81F},
        {0x2B920, 0x2CEAF},
        {0xF900, 0xFAFF},
        {0x2F800, 0x2FA1F}
    };

    private final Map<String, Integer> vocabulary;
    private final int longest;

    private WordPieces(Map<String, Integer> vocabulary, int longest) {
        this.vocabulary = vocabulary;
        this.longest = longest;
    }

    /**
     * Reads a tokenizer's file.
     *
     * @param longest the most tokens of a sentence; the file's own limit and padding are not heeded
     */
    public static WordPieces read(InputStream in, int longest) throws IOException {
        Map<String, Object> file = JSON.std.mapFrom(in.readAllBytes());
        Map<String, Integer> vocabulary = new HashMap<>();
        if (file.get("model") instanceof Map<?, ?> model && model.get("vocab") instanceof Map<?, ?> words) {
            words.forEach((word, id) -> {
                if (id instanceof Number number) {
                    vocabulary.put(String.valueOf(word), number.intValue());
                }
            });
        }
        for (String token : new String[] {BEGIN, END, UNKNOWN}) {
            if (!vocabulary.containsKey(token)) {
                throw new IOException("tokenizer: its vocabulary has no " + token + ", must be BERT's word pieces");
            }
        }
        return new WordPieces(vocabulary, longest);
    }

    /** Splits a sentence into tokens, and cuts it where it is too long. */
    public SentenceTokens tokenize(String sentence) {
        List<String> pieces = new ArrayList<>();
        Matcher special = SPECIAL.matcher(sentence);
        int from = 0;
        while (special.find()) {
            addWords(sentence.substring(from, special.start()), pieces);
            pieces.add(special.group());
            from = special.end();
        }
        addWords(sentence.substring(from), pieces);
        boolean cut = pieces.size() > longest - 2;
        List<String> tokens = new ArrayList<>();
        tokens.add(BEGIN);
        tokens.addAll(cut ? pieces.subList(0, longest - 2) : pieces);
        tokens.add(END);
        return new SentenceTokens(sentence, tokens.stream().map(vocabulary::get).toList(), tokens, cut);
    }

    private void addWords(String text, List<String> pieces) {
        StringBuilder word = new StringBuilder();
        normalized(text).codePoints().forEach(character -> {
            if (isBlank(character) || isPunctuation(character)) {
                addPieces(word.toString(), pieces);
                word.setLength(0);
                if (!isBlank(character)) {
                    addPieces(Character.toString(character), pieces);
                }
            } else {
                word.appendCodePoint(character);
            }
        });
        addPieces(word.toString(), pieces);
    }

    /** The longest piece that the vocabulary has, then the longest of the rest; a word with a part in none is unknown. */
    private void addPieces(String word, List<String> pieces) {
        if (word.isEmpty()) {
            return;
        }
        int[] characters = word.codePoints().toArray();
        List<String> found = new ArrayList<>();
        int start = 0;
        while (start < characters.length && characters.length <= LONGEST_WORD) {
            String piece = null;
            int end = characters.length;
            for (; end > start && piece == null; end--) {
                String candidate = (start == 0 ? "" : CONTINUED) + new String(characters, start, end - start);
                piece = vocabulary.containsKey(candidate) ? candidate : null;
            }
            if (piece == null) {
                break;
            }
            found.add(piece);
            start = end + 1;
        }
        if (start < characters.length) {
            pieces.add(UNKNOWN);
        } else {
            pieces.addAll(found);
        }
    }

    private static String normalized(String text) {
        StringBuilder clean = new StringBuilder();
        text.codePoints().filter(character -> !isControl(character)).forEach(character -> {
            if (isIdeograph(character)) {
                clean.append(' ').appendCodePoint(character).append(' ');
            } else {
                clean.appendCodePoint(isBlank(character) ? ' ' : character);
            }
        });
        String bare =
                ACCENT.matcher(Normalizer.normalize(clean, Normalizer.Form.NFD)).replaceAll("");
        StringBuilder lower = new StringBuilder();
        // Each by itself: at the end of a word a sigma is to stay what it is elsewhere.
        bare.codePoints()
                .forEach(character -> lower.append(Character.toString(character).toLowerCase(Locale.ROOT)));
        return lower.toString();
    }

    private static boolean isControl(int character) {
        if (character == '\t' || character == '\n' || character == '\r') {
            return false;
        }
        int type = Character.getType(character);
        return character == 0xFFFD
                || type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.PRIVATE_USE
                || type == Character.SURROGATE;
    }

    private static boolean isBlank(int character) {
        return Character.isSpaceChar(character) || (character >= '\t' && character <= '\r') || character == 0x85;
    }

    private static boolean isPunctuation(int character) {
        if (character < 128) {
            return character > ' ' && character < 127 && !Character.isLetterOrDigit(character);
        }
        return switch (Character.getType(character)) {
            case Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION -> true;
            default -> false;
        };
    }

    private static boolean isIdeograph(int character) {
        for (int[] block : IDEOGRAPHS) {
            if (character >= block[0] && character <= block[1]) {
                return true;
            }
        }
        return false;
    }
}
