package dev.attention4j.layers;

import dev.attention4j.AttentionEngine;
import java.util.List;

/** Collects the options of an {@link Optimizer}; each is checked as it is set. */
public final class OptimizerBuilder implements Cloneable {
    private static final String MOMENTUM = ".momentum_buffer";
    private static final String MEAN = ".exp_avg";
    private static final String SQUARE = ".exp_avg_sq";

    /** The rule of a step. */
    enum Rule {
        SGD,
        ADAM,
        ADAM_W
    }

    final Rule rule;
    final double learningRate;
    double weightDecay;
    double momentum;
    boolean nesterov;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;

    OptimizerBuilder(Rule rule, double learningRate, double weightDecay) {
        this.rule = rule;
        this.learningRate = notNegative("learningRate", learningRate);
        this.weightDecay = weightDecay;
    }

    /**
     * Sets the part of each weight that is added to its gradient, or for AdamW the part times the learning rate that is
     * taken from it.
     *
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public OptimizerBuilder weightDecay(double decay) {
        weightDecay = notNegative("weightDecay", decay);
        return this;
    }

    /**
     * Sets the part of the running sum of gradients that is kept; for SGD.
     *
     * @throws IllegalArgumentException if it is negative or not finite, or this is not SGD
     */
    public OptimizerBuilder momentum(double momentum) {
        only("momentum", rule == Rule.SGD, "sgd");
        this.momentum = notNegative("momentum", momentum);
        return this;
    }

    /**
     * Sets whether steps follow Nesterov's rule; for SGD with momentum.
     *
     * @throws IllegalArgumentException if this is not SGD
     */
    public OptimizerBuilder nesterov(boolean wanted) {
        only("nesterov", rule == Rule.SGD, "sgd");
        nesterov = wanted;
        return this;
    }

    /**
     * Sets the parts of the running means of gradient and squared gradient that are kept; for Adam and AdamW.
     *
     * @throws IllegalArgumentException if one is not from 0 to below 1, or this is SGD
     */
    public OptimizerBuilder betas(double first, double second) {
        only("betas", rule != Rule.SGD, "adam and adamW");
        beta1 = below1("betas", first);
        beta2 = below1("betas", second);
        return this;
    }

    /**
     * Sets what is added to the root of the mean squared gradient; for Adam and AdamW.
     *
     * @throws IllegalArgumentException if it is negative or not finite, or this is SGD
     */
    public OptimizerBuilder epsilon(double epsilon) {
        only("epsilon", rule != Rule.SGD, "adam and adamW");
        this.epsilon = notNegative("epsilon", epsilon);
        return this;
    }

    /**
     * Makes the optimizer.
     *
     * @param engine open, and not closed before the optimizer
     * @throws IllegalArgumentException if options contradict each other; names them
     */
    public Optimizer build(AttentionEngine engine) {
        if (nesterov && momentum == 0) {
            throw new IllegalArgumentException("nesterov: true with a momentum of 0, must have a momentum above 0");
        }
        try {
            return new Optimizer((OptimizerBuilder) clone(), engine);
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
    }

    private static void only(String option, boolean allowed, String by) {
        if (!allowed) {
            throw new IllegalArgumentException(option + ": given, must be left out but for " + by);
        }
    }

    private static double below1(String name, double number) {
        if (!(number >= 0 && number < 1)) {
            throw new IllegalArgumentException(name + ": " + number + ", must be from 0 to below 1");
        }
        return number;
    }

    /** The names of what is kept of a weight. */
    List<String> kept() {
        return rule != Rule.SGD ? List.of(MEAN, SQUARE) : momentum > 0 ? List.of(MOMENTUM) : List.of();
    }

    static double notNegative(String name, double number) {
        if (!(number >= 0 && number < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(name + ": " + number + ", must be 0 or more and finite");
        }
        return number;
    }
}
