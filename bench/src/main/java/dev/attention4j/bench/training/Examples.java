package dev.attention4j.bench.training;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;

/**
 * Texts as tokens, in part to learn from and in part to test with.
 *
 * @param tokens their names by number: letters, or words
 * @param classes of texts, or empty
 * @param training examples to learn from
 * @param heldOut examples that are never learned from
 */
public record Examples(
        List<String> tokens, List<String> classes, List<Batch.Example> training, List<Batch.Example> heldOut) {

    /** Splits examples: the first are held out. */
    static Examples of(List<String> tokens, List<String> classes, List<Batch.Example> all, int heldOut) {
        return new Examples(
                tokens, classes, List.copyOf(all.subList(heldOut, all.size())), List.copyOf(all.subList(0, heldOut)));
    }

    /** Returns the most tokens of an example. */
    public int longest() {
        return Math.max(longest(training), longest(heldOut));
    }

    private static int longest(List<Batch.Example> examples) {
        return examples.stream()
                .mapToInt(example -> example.tokens().length)
                .max()
                .orElse(0);
    }

    /**
     * Returns the batch of a step: each pass over the training examples has an order of its own, drawn from the seed, and leaves out
     * what does not fill its last batch.
     */
    public Batch batch(int step, int size, long seed) {
        int perPass = training.size() / size;
        int pass = step / perPass;
        List<Integer> order = new ArrayList<>();
        for (int n = 0; n < training.size(); n++) {
            order.add(n);
        }
        Collections.shuffle(order, new Random(31 * seed + pass));
        int first = step % perPass * size;
        return Batch.of(
                order.subList(first, first + size).stream().map(training::get).toList());
    }

    /** Returns the held-out examples in batches of at most a size. */
    public List<Batch> heldOutBatches(int size) {
        List<Batch> batches = new ArrayList<>();
        for (int first = 0; first < heldOut.size(); first += size) {
            batches.add(Batch.of(heldOut.subList(first, Math.min(heldOut.size(), first + size))));
        }
        return batches;
    }

    /** Returns a number that tells these examples from others. */
    public String checksum() {
        CRC32 sum = new CRC32();
        for (List<Batch.Example> part : List.of(training, heldOut)) {
            for (Batch.Example example : part) {
                for (int token : example.tokens()) {
                    sum.update(token);
                    sum.update(token >> 8);
                }
                for (int target : example.targets()) {
                    sum.update(target);
                }
            }
        }
        return Long.toHexString(sum.getValue());
    }
}
