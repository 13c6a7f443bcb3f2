package dev.attention4j.bench.training;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How many of the texts that were held out a model gives their class.
 *
 * @param right of each class, those that were told right
 * @param texts of each class, those that were held out
 * @param mostFrequent the class of which most texts were learned from
 */
record HeldOutAnswers(List<String> classes, List<Integer> right, List<Integer> texts, String mostFrequent) {
    /** Asks a model, a batch of some texts at a time. */
    static HeldOutAnswers of(Transformer model, Examples examples, int batch) {
        int classes = examples.classes().size();
        List<Integer> right = new ArrayList<>(Collections.nCopies(classes, 0));
        List<Integer> texts = new ArrayList<>(Collections.nCopies(classes, 0));
        List<Integer> learned = new ArrayList<>(Collections.nCopies(classes, 0));
        examples.training()
                .forEach(example -> learned.set(example.targets()[0], learned.get(example.targets()[0]) + 1));
        for (Batch one : examples.heldOutBatches(batch)) {
            float[] scores = model.scores(one);
            for (int text = 0; text < one.texts(); text++) {
                int best = 0;
                for (int n = 1; n < classes; n++) {
                    best = scores[text * classes + n] > scores[text * classes + best] ? n : best;
                }
                int target = one.targets()[text];
                texts.set(target, texts.get(target) + 1);
                right.set(target, right.get(target) + (best == target ? 1 : 0));
            }
        }
        String mostFrequent = examples.classes().get(learned.indexOf(Collections.max(learned)));
        return new HeldOutAnswers(examples.classes(), right, texts, mostFrequent);
    }

    int count() {
        return sum(texts);
    }

    double accuracy() {
        return (double) sum(right) / count();
    }

    /** The accuracy of who always says the most frequent class. */
    double accuracyOfMostFrequent() {
        return (double) texts.get(classes.indexOf(mostFrequent)) / count();
    }

    private static int sum(List<Integer> numbers) {
        return numbers.stream().mapToInt(Integer::intValue).sum();
    }
}
