package dev.attention4j.bench.decoder;

import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.SafetensorsFile;

/**
 * The sizes of a model.
 *
 * @param vocabulary tokens that there are
 * @param width of a token's vector between layers
 * @param layers of attention and feed-forward
 * @param queryHeads of attention; a multiple of {@code keyValueHeads}
 * @param headDim width of a head, even
 * @param hidden width within the feed-forward
 * @param rotaryBase of the rotary embedding's angles
 * @param epsilon added to the mean square that a token's vector is divided by
 */
public record DecoderShape(
        int vocabulary,
        int width,
        int layers,
        int queryHeads,
        int keyValueHeads,
        int headDim,
        int hidden,
        double rotaryBase,
        double epsilon) {
    /** Checks the numbers against each other. */
    public DecoderShape {
        checkPositive("vocabulary", vocabulary);
        checkPositive("width", width);
        checkPositive("layers", layers);
        checkPositive("key/value heads", keyValueHeads);
        checkPositive("hidden", hidden);
        if (queryHeads < 1 || queryHeads % keyValueHeads != 0) {
            throw new IllegalArgumentException(
                    "heads: " + queryHeads + ", must be a multiple of the " + keyValueHeads + " key/value heads");
        }
        if (headDim < 2 || headDim % 2 != 0) {
            throw new IllegalArgumentException("head dim: " + headDim + ", must be even, 2 or more");
        }
    }

    private static void checkPositive(String name, int number) {
        if (number < 1) {
            throw new IllegalArgumentException(name + ": " + number + ", must be 1 or more");
        }
    }

    /**
     * Reads all but the width of a head, which no tensor shows, from the tensors of a file.
     *
     * @throws FileFormatException if a tensor is missing or its shape does not fit
     */
    public static DecoderShape of(SafetensorsFile file, int headDim, double rotaryBase, double epsilon)
            throws FileFormatException {
        Tensor embeddings = file.tensor(DecoderWeights.EMBEDDINGS);
        int layers = 0;
        while (file.find(DecoderWeights.layer(layers, DecoderWeights.QUERY)).isPresent()) {
            layers++;
        }
        return new DecoderShape(
                (int) embeddings.size(0),
                (int) embeddings.size(1),
                layers,
                heads(file, DecoderWeights.QUERY, headDim),
                heads(file, DecoderWeights.KEY, headDim),
                headDim,
                (int) file.tensor(DecoderWeights.layer(0, DecoderWeights.GATE)).size(0),
                rotaryBase,
                epsilon);
    }

    private static int heads(SafetensorsFile file, String projection, int headDim) throws FileFormatException {
        long width = file.tensor(DecoderWeights.layer(0, projection)).size(0);
        if (width % headDim != 0) {
            throw new IllegalArgumentException(
                    "head dim: " + headDim + ", must divide the " + width + " rows of " + projection);
        }
        return (int) (width / headDim);
    }

    /** The number of weights. */
    public long weights() {
        long attention = 2L * width * headDim * (queryHeads + keyValueHeads);
        long layer = attention + 3L * width * hidden + 2L * width;
        return layers * layer + 2L * vocabulary * width + width;
    }

    @Override
    public String toString() {
        return layers + " layers of " + width + ", " + queryHeads + " heads on " + keyValueHeads + " of " + headDim
                + ", feed-forward " + hidden + ", vocabulary " + vocabulary;
    }
}
