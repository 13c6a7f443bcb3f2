package dev.attention4j.io;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.spi.TensorChecks;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Attention weights as one HTML file for a browser: a heat map for each head of each layer, tokens along both axes, and the
 * weights of one token as arcs over the text. The page may show several texts, one at a time, and masks among the layers. The
 * strongest colour is the largest weight of each head. The file is self-contained and loads nothing.
 */
public final class AttentionPage {
    private static final String TEMPLATE = "attention_page.html";
    private static final String DATA = "/*DATA*/";
    private static final String SCRIPT_FILE = "attention_page.js";
    private static final String SCRIPT = "/*SCRIPT*/";

    /** Weights are shown with four decimals, and written as whole numbers of such steps. */
    private static final int STEPS = 10_000;

    private static final double ROUNDING = 1e-3;

    /** The name of a mask among the layers, and the key that tells it from weights in the data. */
    private static final String MASK = "mask";

    private final String title;
    private String subtitle = "";
    private String unit = "token";
    private final List<Text> texts = new ArrayList<>();
    private int layer;
    private int head;
    private int mostHeads;

    /** The tokens along a heat map's axes, and the layers that have them. */
    private record Text(String name, List<String> queries, List<String> keys, List<Map<String, Object>> layers) {
        Map<String, Object> toMap() {
            return Map.of("name", name, "queries", queries, "keys", keys, "layers", layers);
        }
    }

    /**
     * Makes a page without a text.
     *
     * @param title the heading of the page
     */
    public AttentionPage(String title) {
        this.title = Objects.requireNonNull(title, "title");
    }

    /**
     * Makes a page with one text, named as the page, without a layer.
     *
     * @param title the heading of the page
     * @param queries the tokens that attend, a row each
     * @param keys the tokens that are attended to, a column each
     * @throws IllegalArgumentException if there are no tokens
     */
    public AttentionPage(String title, List<String> queries, List<String> keys) {
        this(title);
        text(title, queries, keys);
    }

    /**
     * Sets a line below the heading, such as the options of the operation.
     *
     * @param line the text of the line
     */
    public AttentionPage subtitle(String line) {
        subtitle = Objects.requireNonNull(line, "line");
        return this;
    }

    /** Lets the page speak of positions, not of tokens: for tensors whose tokens are not known. */
    public AttentionPage positions() {
        unit = "position";
        return this;
    }

    /**
     * Begins a text, to which later layers belong.
     *
     * @param name its name on the page, for example the text itself
     * @param queries the tokens that attend, a row each
     * @param keys the tokens that are attended to, a column each
     * @throws IllegalArgumentException if there are no tokens
     */
    public AttentionPage text(String name, List<String> queries, List<String> keys) {
        if (queries.isEmpty() || keys.isEmpty()) {
            throw new IllegalArgumentException("queries, keys: " + queries.size() + " and " + keys.size()
                    + " tokens, must be at least one of each");
        }
        texts.add(new Text(
                Objects.requireNonNull(name, "name"), List.copyOf(queries), List.copyOf(keys), new ArrayList<>()));
        return this;
    }

    /**
     * Adds a layer to the last text, below its other layers.
     *
     * @param name its name on the page
     * @param weights as {@link dev.attention4j.AttentionResult#weights()} gives them, [1, heads, queries, keys]; or
     *     [heads, queries, keys], or one head's [queries, keys]; each 0 to 1, on the host or on a device
     * @throws IllegalArgumentException if the shape is not that of the tokens, or a weight is not 0 to 1
     * @throws IllegalStateException if no text was begun
     */
    public AttentionPage layer(String name, Tensor weights) {
        return add(Objects.requireNonNull(name, "name"), weights, "weights");
    }

    /**
     * Adds a picture of which keys each query may attend to to the last text, below its layers.
     *
     * @param mask of the shapes of {@link #layer}, where one head stands for all; 1 or true where the query may attend
     * @throws IllegalArgumentException if the shape is not that of the tokens
     * @throws IllegalStateException if no text was begun
     */
    public AttentionPage mask(Tensor mask) {
        Tensor numbers = mask.dtype() == DType.BOOL ? Tensor.of(floats(mask.toBooleanArray()), mask.shape()) : mask;
        return add(MASK, numbers, MASK);
    }

    private static float[] floats(boolean... mask) {
        float[] numbers = new float[mask.length];
        for (int n = 0; n < mask.length; n++) {
            numbers[n] = mask[n] ? 1 : 0;
        }
        return numbers;
    }

    private AttentionPage add(String name, Tensor cells, String what) {
        if (texts.isEmpty()) {
            throw new IllegalStateException("texts: there are none, text(...) begins one");
        }
        Text text = texts.get(texts.size() - 1);
        checkShape(cells, what, text);
        int headAxis = cells.rank() - 3;
        long count = headAxis < 0 ? 1 : cells.size(headAxis);
        List<int[]> heads = new ArrayList<>();
        for (long number = 0; number < count; number++) {
            Tensor one = headAxis < 0 ? cells : cells.slice(headAxis, number, number + 1);
            heads.add(Arrays.stream(one.toDoubleArray())
                    .mapToInt(weight -> steps(weight, what))
                    .toArray());
        }
        mostHeads = Math.max(mostHeads, heads.size());
        text.layers.add(
                what.equals(MASK)
                        ? Map.of("name", name, "heads", heads, MASK, true)
                        : Map.of("name", name, "heads", heads));
        return this;
    }

    private static void checkShape(Tensor weights, String what, Text text) {
        int rank = weights.rank();
        String wanted = "[1, heads, " + text.queries.size() + ", " + text.keys.size() + "], [heads, "
                + text.queries.size() + ", " + text.keys.size() + "] or [" + text.queries.size() + ", "
                + text.keys.size() + "] for these tokens";
        if (rank < 2
                || rank > 4
                || weights.size(-2) != text.queries.size()
                || weights.size(-1) != text.keys.size()
                || weights.elementCount() == 0) {
            throw new IllegalArgumentException(
                    what + ": shape " + Arrays.toString(weights.shape()) + ", must be " + wanted);
        }
        if (rank == 4 && weights.size(0) != 1) {
            throw new IllegalArgumentException(what + ": shape " + Arrays.toString(weights.shape()) + ", must be "
                    + wanted + "; " + what + ".slice(0, n, n + 1) is the batch row n");
        }
    }

    /** Returns a weight as in the page's data; rounding may have carried it slightly out of its range. */
    private static int steps(double weight, String what) {
        if (!(weight > -ROUNDING && weight < 1 + ROUNDING)) {
            throw new IllegalArgumentException(what + ": " + weight + ", must be 0 to 1");
        }
        return (int) Math.round(Math.max(0, Math.min(1, weight)) * STEPS);
    }

    /**
     * Selects the layer that is shown large at first.
     *
     * @param number from 0
     * @throws IllegalArgumentException if it is negative
     */
    public AttentionPage firstLayer(int number) {
        this.layer = TensorChecks.atLeast("number", number, 0);
        return this;
    }

    /**
     * Selects the head that is shown large at first.
     *
     * @param number from 0
     * @throws IllegalArgumentException if it is negative
     */
    public AttentionPage firstHead(int number) {
        this.head = TensorChecks.atLeast("number", number, 0);
        return this;
    }

    /**
     * Writes the page; an existing file is replaced.
     *
     * @param file the file to write
     * @throws IllegalStateException if there is no text, one without a layer, or no layer or head of the selected numbers
     * @throws IOException if it cannot be written
     */
    public void write(Path file) throws IOException {
        if (texts.isEmpty() || texts.stream().anyMatch(text -> text.layers.isEmpty())) {
            throw new IllegalStateException("layers: there are none, layer(...) adds one");
        }
        int mostLayers =
                texts.stream().mapToInt(text -> text.layers.size()).max().orElse(0);
        if (layer >= mostLayers) {
            throw new IllegalStateException(
                    "firstLayer: " + layer + ", must be less than the " + mostLayers + " layers of a text");
        }
        if (head >= mostHeads) {
            throw new IllegalStateException(
                    "firstHead: " + head + ", must be less than the " + mostHeads + " heads of the largest layer");
        }
        String json = JSON.std.asString(Map.of(
                "title",
                title,
                "subtitle",
                subtitle,
                "unit",
                unit,
                "steps",
                STEPS,
                "texts",
                texts.stream().map(Text::toMap).toList(),
                "layer",
                layer,
                "head",
                head,
                "scale",
                WeightColours.scale()));
        // No token may close the element that holds the data, or begin a comment there.
        Files.writeString(
                file,
                resource(TEMPLATE).replace(SCRIPT, resource(SCRIPT_FILE)).replace(DATA, json.replace("<", "\\u003c")));
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = AttentionPage.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + ": not in this jar; build it again with mvn package");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
