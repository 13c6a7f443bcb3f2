package dev.attention4j.bench.training;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.layers.Optimizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A transformer on its way through its examples. A checkpoint has the weights, the optimizer's state, the losses so far, and the
 * options; the step is the position in the examples, whose order and dropout follow from seed and step. So a training that is resumed
 * goes on to the same bits.
 */
public final class Training implements AutoCloseable {
    /** That gradients are clipped to. */
    static final double MOST_NORM = 1;

    private static final String WEIGHTS = "model/";
    private static final String OPTIMIZER = "optimizer/";
    private static final String LOSSES = "losses";
    private static final String EXAMPLES = "examples";
    private static final int WARM_UP = 50;
    private static final double LEAST_RATE = 0.05;

    /**
     * The model and its training.
     *
     * @param steps in all; the learning rate grows over the first 50 (or tenth), then falls along a cosine to a 20th
     * @param batch examples of a step
     * @param learningRate the highest
     * @param weightDecay of AdamW
     * @param dropout of attention's weights
     * @param seed of weights, of the order of examples and of dropout
     */
    public record Options(
            TransformerShape shape,
            int steps,
            int batch,
            double learningRate,
            double weightDecay,
            double dropout,
            long seed) {
        /** Checks the numbers. */
        public Options {
            TransformerShape.atLeast("steps", steps, 1);
            TransformerShape.atLeast("batch", batch, 1);
        }

        /** The learning rate of a step, from 0. */
        double rate(int step) {
            int warm = Math.max(1, Math.min(WARM_UP, steps / 10));
            if (step < warm) {
                return learningRate * (step + 1) / warm;
            }
            double share = (double) (step - warm) / Math.max(1, steps - warm);
            return learningRate * (LEAST_RATE + (1 - LEAST_RATE) * (1 + Math.cos(Math.PI * share)) / 2);
        }

        private Map<String, String> byName() {
            Map<String, String> all = new LinkedHashMap<>();
            all.put("vocabulary", Integer.toString(shape.vocabulary()));
            all.put("context", Integer.toString(shape.context()));
            all.put("width", Integer.toString(shape.width()));
            all.put("heads", Integer.toString(shape.heads()));
            all.put("layers", Integer.toString(shape.layers()));
            all.put("hidden", Integer.toString(shape.hidden()));
            all.put("outputs", Integer.toString(shape.outputs()));
            all.put("causal", Boolean.toString(shape.causal()));
            all.put("steps", Integer.toString(steps));
            all.put("batch", Integer.toString(batch));
            all.put("learning rate", Double.toString(learningRate));
            all.put("weight decay", Double.toString(weightDecay));
            all.put("dropout", Double.toString(dropout));
            all.put("seed", Long.toString(seed));
            return all;
        }
    }

    private final Options options;
    private final Examples examples;
    private final Transformer model;
    private final Optimizer optimizer;
    private final List<Float> losses = new ArrayList<>();

    private Training(AttentionEngine engine, Options options, Examples examples, Map<String, Tensor> weights) {
        if (examples.training().size() < options.batch) {
            throw new IllegalArgumentException(
                    "batch: " + options.batch + ", must be at most the examples to learn from, "
                            + examples.training().size());
        }
        this.options = options;
        this.examples = examples;
        optimizer = Optimizer.adamW(options.learningRate)
                .weightDecay(options.weightDecay)
                .build(engine);
        model = Transformer.open(engine, options.shape, weights, options.dropout);
    }

    /** Begins with weights drawn from the seed. */
    public static Training start(AttentionEngine engine, Options options, Examples examples) {
        return new Training(engine, options, examples, options.shape.random(options.seed));
    }

    /**
     * Goes on from a checkpoint.
     *
     * @throws IllegalArgumentException if it is one of other options or examples; names the first that differs
     * @throws FileFormatException if the file is damaged or no checkpoint
     */
    public static Training resume(AttentionEngine engine, Options options, Examples examples, Path checkpoint)
            throws IOException {
        SafetensorsFile file = Safetensors.read(checkpoint);
        Map<String, String> wanted = options.byName();
        wanted.put(EXAMPLES, examples.checksum());
        for (Map.Entry<String, String> option : wanted.entrySet()) {
            String there = file.metadata().get(option.getKey());
            if (!option.getValue().equals(there)) {
                throw new IllegalArgumentException("--resume: " + checkpoint
                        + (there == null
                                ? " has no " + option.getKey() + ", must be a checkpoint of this program"
                                : " is of " + option.getKey() + " " + there + ", must be of " + option.getValue()
                                        + " as this training"));
            }
        }
        Training training = new Training(engine, options, examples, part(file, WEIGHTS));
        try {
            training.optimizer.load(part(file, OPTIMIZER));
            for (float loss : file.tensor(LOSSES).toFloatArray()) {
                training.losses.add(loss);
            }
            return training;
        } catch (IOException | RuntimeException | Error e) {
            training.close();
            throw e;
        }
    }

    private static Map<String, Tensor> part(SafetensorsFile file, String prefix) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        file.tensors().forEach((name, tensor) -> {
            if (name.startsWith(prefix)) {
                tensors.put(name.substring(prefix.length()), tensor);
            }
        });
        return tensors;
    }

    /** Writes a checkpoint; it appears whole or not at all. */
    public void save(Path checkpoint) throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        model.weights().forEach((name, tensor) -> tensors.put(WEIGHTS + name, tensor));
        optimizer.state().forEach((name, tensor) -> tensors.put(OPTIMIZER + name, tensor));
        Tensor all = Tensor.zeros(DType.FLOAT32, losses.size());
        losses.forEach(all.floats().duplicate()::put);
        tensors.put(LOSSES, all);
        Map<String, String> metadata = options.byName();
        metadata.put(EXAMPLES, examples.checksum());
        Safetensors.write(checkpoint, tensors, metadata);
    }

    /** The model; its weights change with each step. */
    public Transformer model() {
        return model;
    }

    /** The loss of each batch so far, before its step. */
    public List<Float> losses() {
        return losses;
    }

    /** Returns true if all steps are done. */
    public boolean isDone() {
        return losses.size() >= options.steps;
    }

    /** Returns the batch of the next step. */
    public Batch batch() {
        return examples.batch(losses.size(), options.batch, options.seed);
    }

    /** Learns from the next batch, and returns its loss before. */
    public double step() {
        int step = losses.size();
        optimizer.setLearningRate(options.rate(step));
        try (Transformer.Gradients gradients = model.gradients(batch(), options.seed + step)) {
            optimizer.clip(MOST_NORM, gradients.all().values());
            model.step(optimizer, gradients);
            losses.add((float) gradients.loss());
            return gradients.loss();
        }
    }

    /** Returns the mean loss of the held-out examples. */
    public double heldOutLoss() {
        double sum = 0;
        long count = 0;
        for (Batch batch : examples.heldOutBatches(options.batch)) {
            long answers = IntStream.of(batch.targets())
                    .filter(target -> target != Batch.NONE)
                    .count();
            sum += model.loss(batch) * answers;
            count += answers;
        }
        return sum / count;
    }

    @Override
    public void close() {
        model.close();
        optimizer.close();
    }
}
