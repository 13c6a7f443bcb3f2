package dev.attention4j;

import java.util.Objects;

/**
 * Collects the options of a {@link RotaryEmbedding}. Pair i of d/2 turns by position · f(i), with f(i) = base^(−2i/d) and d
 * the rotary width, unless one of the scalings changes the frequencies f for texts longer than a model was trained with.
 * Angles, cosines and sines are computed in double precision and rounded once. Each setter returns the builder.
 *
 * <p>The scalings bear the names of Hugging Face's {@code rope_scaling}, and take its numbers.
 */
public final class RotaryEmbeddingBuilder {
    private static final double BETA_FAST = 32;
    private static final double BETA_SLOW = 1;

    private final int rotaryDim;
    private final int positions;
    private double base = 10_000;
    private boolean interleaved;
    private String scaledBy = "";
    private Scaling scaling = (frequencies, b) -> 1;

    /** Changes frequencies in place and returns the factor of all cosines and sines. */
    private interface Scaling {
        double scale(double[] frequencies, double base);
    }

    RotaryEmbeddingBuilder(int rotaryDim, int positions) {
        if (rotaryDim < 2 || rotaryDim % 2 != 0 || rotaryDim > AttentionProblem.MAX_LENGTH) {
            throw new IllegalArgumentException("rotaryDim: " + rotaryDim + ", must be even and 2 or more");
        }
        if (positions < 1) {
            throw new IllegalArgumentException("positions: " + positions + ", must be 1 or more");
        }
        this.rotaryDim = rotaryDim;
        this.positions = positions;
    }

    /**
     * Sets the base of the frequencies, {@code rope_theta}; 10,000 unless set.
     *
     * @param base above 1
     * @throws IllegalArgumentException if not, or not finite
     */
    public RotaryEmbeddingBuilder base(double base) {
        if (!(base > 1) || !Double.isFinite(base)) {
            throw new IllegalArgumentException("base: " + base + ", must be finite and above 1");
        }
        this.base = base;
        return this;
    }

    /**
     * Sets which elements of a head are a pair.
     *
     * @param neighbours true for (2i, 2i + 1) as in GPT-J and GGUF's Llama; false, the default, for (i, i + d/2) as in
     *     GPT-NeoX and Hugging Face's Llama
     */
    public RotaryEmbeddingBuilder interleaved(boolean neighbours) {
        this.interleaved = neighbours;
        return this;
    }

    /**
     * Divides the frequencies: position interpolation (Chen et al., 2023).
     *
     * @param factor of the texts' length, from 1
     * @throws IllegalArgumentException if it is less, or another scaling is set
     */
    public RotaryEmbeddingBuilder linear(double factor) {
        double divisor = atLeastOne("factor", factor);
        return scaled("linear", (frequencies, b) -> {
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= divisor;
            }
            return 1;
        });
    }

    /**
     * Multiplies the base by factor^(d / (d − 2)): NTK-aware scaling, which divides the lowest frequency by the factor and
     * keeps the highest. Dynamic NTK of a text of {@code length} tokens has the factor {@code factor · length / trained −
     * (factor − 1)}.
     *
     * @param factor from 1
     * @throws IllegalArgumentException if it is less, the rotary width is 2, or another scaling is set
     */
    public RotaryEmbeddingBuilder ntk(double factor) {
        double checked = atLeastOne("factor", factor);
        if (rotaryDim == 2) {
            throw new IllegalArgumentException("rotaryDim: 2, must be 4 or more for NTK-aware scaling");
        }
        return scaled("ntk", (frequencies, b) -> {
            double larger = b * Math.pow(checked, rotaryDim / (rotaryDim - 2.0));
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] = Math.pow(larger, -2.0 * i / rotaryDim);
            }
            return 1;
        });
    }

    /**
     * Scales as {@link #yarn(double, int, double, double, double, boolean)} with the paper's numbers: 32, 1, 0.1 · ln(factor)
     * + 1, and whole bounds as in Hugging Face.
     *
     * @param factor of the texts' length, from 1
     * @param trainedPositions the length of the texts that the model was first trained with
     * @throws IllegalArgumentException if a number is out of its range, or another scaling is set
     */
    public RotaryEmbeddingBuilder yarn(double factor, int trainedPositions) {
        double checked = atLeastOne("factor", factor);
        return yarn(checked, trainedPositions, BETA_FAST, BETA_SLOW, 0.1 * Math.log(checked) + 1, true);
    }

    /**
     * Keeps the frequencies of pairs that turn often within the trained positions, divides those of pairs that turn seldom,
     * and blends in between: YaRN (Peng et al., 2023).
     *
     * @param factor of the texts' length, from 1
     * @param trainedPositions the length of the texts that the model was first trained with
     * @param betaFast turns from which on a pair is kept
     * @param betaSlow turns up to which a pair is divided, less than betaFast
     * @param attentionFactor of all cosines and sines
     * @param wholeBounds true to round the first and last blended pair down and up ({@code truncate})
     * @throws IllegalArgumentException if a number is out of its range, or another scaling is set
     */
    public RotaryEmbeddingBuilder yarn(
            double factor,
            int trainedPositions,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean wholeBounds) {
        double divisor = atLeastOne("factor", factor);
        double trained = trained(trainedPositions);
        if (!(betaSlow > 0 && betaFast > betaSlow) || !Double.isFinite(betaFast)) {
            throw new IllegalArgumentException("betaFast: " + betaFast + ", betaSlow: " + betaSlow
                    + ", must be finite, above 0, and the first above the second");
        }
        double multiplier = positive("attentionFactor", attentionFactor);
        return scaled("yarn", (frequencies, b) -> {
            double fast = pairWithTurns(betaFast, trained, b);
            double slow = pairWithTurns(betaSlow, trained, b);
            double first = Math.max(0, wholeBounds ? Math.floor(fast) : fast);
            double last = Math.min(rotaryDim - 1.0, wholeBounds ? Math.ceil(slow) : slow);
            // Not 0, where the bounds are one: that pair is kept, as in Hugging Face.
            double width = Math.max(0.001, last - first);
            for (int i = 0; i < frequencies.length; i++) {
                double divided = Math.min(1, Math.max(0, (i - first) / width));
                frequencies[i] *= divided / divisor + (1 - divided);
            }
            return multiplier;
        });
    }

    /** The pair, as a fraction, that turns this often within the trained positions. */
    private double pairWithTurns(double turns, double trained, double b) {
        return rotaryDim * Math.log(trained / (turns * 2 * Math.PI)) / (2 * Math.log(b));
    }

    /**
     * Keeps wavelengths below trainedPositions / highFrequencyFactor, divides the frequencies of those above
     * trainedPositions / lowFrequencyFactor, and blends in between: Llama 3.1.
     *
     * @param factor of the texts' length, from 1
     * @param lowFrequencyFactor above 0
     * @param highFrequencyFactor above lowFrequencyFactor
     * @param trainedPositions the length of the texts that the model was first trained with
     * @throws IllegalArgumentException if a number is out of its range, or another scaling is set
     */
    public RotaryEmbeddingBuilder llama3(
            double factor, double lowFrequencyFactor, double highFrequencyFactor, int trainedPositions) {
        double divisor = atLeastOne("factor", factor);
        double low = positive("lowFrequencyFactor", lowFrequencyFactor);
        double high = positive("highFrequencyFactor", highFrequencyFactor);
        if (high <= low) {
            throw new IllegalArgumentException(
                    "highFrequencyFactor: " + high + ", must be above lowFrequencyFactor, " + low);
        }
        double trained = trained(trainedPositions);
        return scaled("llama3", (frequencies, b) -> {
            for (int i = 0; i < frequencies.length; i++) {
                double turns = trained * frequencies[i] / (2 * Math.PI);
                double kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
                frequencies[i] *= (1 - kept) / divisor + kept;
            }
            return 1;
        });
    }

    /**
     * Divides each pair's frequency by a factor of its own, and multiplies cosines and sines by √(1 + ln(factor) /
     * ln(trainedPositions)): LongRoPE (Ding et al., 2024), as in Phi-3. The long factors are taken if there are more positions
     * than trained ones, because keys that were turned by the short ones cannot be turned again.
     *
     * @param shortFactors one for each pair, above 0
     * @param longFactors likewise
     * @param factor the model's longest text over its trained one, {@code max_position_embeddings /
     *     original_max_position_embeddings}; from 1
     * @param trainedPositions the length of the texts that the model was first trained with, from 2
     * @throws IllegalArgumentException if a number is out of its range, or another scaling is set
     */
    public RotaryEmbeddingBuilder longRope(
            double[] shortFactors, double[] longFactors, double factor, int trainedPositions) {
        double[] ofShort = factors("shortFactors", shortFactors);
        double[] ofLong = factors("longFactors", longFactors);
        double ratio = atLeastOne("factor", factor);
        if (trainedPositions < 2) {
            throw new IllegalArgumentException("trainedPositions: " + trainedPositions + ", must be 2 or more");
        }
        double[] divisors = positions > trainedPositions ? ofLong : ofShort;
        return scaled("longRope", (frequencies, b) -> {
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= divisors[i];
            }
            return Math.sqrt(1 + Math.log(ratio) / Math.log(trainedPositions));
        });
    }

    /**
     * Computes the tables.
     *
     * @return may be shared by all threads, engines and caches
     * @throws IllegalArgumentException if the tables are larger than a tensor in host memory may be
     */
    public RotaryEmbedding build() {
        int pairs = rotaryDim / 2;
        double[] frequencies = new double[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = Math.pow(base, -2.0 * i / rotaryDim);
        }
        double factor = scaling.scale(frequencies, base);
        Tensor cosines = Tensor.zeros(DType.FLOAT32, positions, pairs);
        Tensor sines = Tensor.zeros(DType.FLOAT32, positions, pairs);
        var cosineAt = cosines.floats();
        var sineAt = sines.floats();
        for (int position = 0; position < positions; position++) {
            for (int i = 0; i < pairs; i++) {
                double angle = position * frequencies[i];
                cosineAt.put((float) (factor * Math.cos(angle)));
                sineAt.put((float) (factor * Math.sin(angle)));
            }
        }
        return RotaryEmbedding.of(cosines, sines, interleaved);
    }

    private RotaryEmbeddingBuilder scaled(String name, Scaling wanted) {
        if (!scaledBy.isEmpty()) {
            throw new IllegalArgumentException(name + ": " + scaledBy + " is set already, must be the only scaling");
        }
        scaledBy = name;
        scaling = wanted;
        return this;
    }

    private double[] factors(String name, double... given) {
        Objects.requireNonNull(given, name);
        if (given.length != rotaryDim / 2) {
            throw new IllegalArgumentException(
                    name + ": " + given.length + " numbers, must be " + rotaryDim / 2 + ", one for each pair");
        }
        for (double number : given) {
            positive(name, number);
        }
        return given.clone();
    }

    private static double trained(int positions) {
        if (positions < 1) {
            throw new IllegalArgumentException("trainedPositions: " + positions + ", must be 1 or more");
        }
        return positions;
    }

    private static double atLeastOne(String name, double number) {
        if (!(number >= 1) || !Double.isFinite(number)) {
            throw new IllegalArgumentException(name + ": " + number + ", must be finite and 1 or more");
        }
        return number;
    }

    private static double positive(String name, double number) {
        if (!(number > 0) || !Double.isFinite(number)) {
            throw new IllegalArgumentException(name + ": " + number + ", must be finite and above 0");
        }
        return number;
    }
}
