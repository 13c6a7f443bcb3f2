package dev.attention4j.measure;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;

/**
 * The inputs of a call.
 *
 * @param query [batch, queryHeads, queryLength, headDim]
 * @param key [batch, keyValueHeads, keyLength, headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim]
 * @param attention the operation
 */
public record Inputs(Tensor query, Tensor key, Tensor value, Attention attention) {
    /** Draws normally distributed tensors for a problem, the same each time. */
    public static Inputs of(AttentionProblem problem) {
        int groups = problem.keyValueHeads();
        Tensor query =
                Tensor.random(1, problem.batch(), problem.queryHeads(), problem.queryLength(), problem.headDim());
        Tensor key = Tensor.random(2, problem.batch(), groups, problem.keyLength(), problem.headDim());
        Tensor value = Tensor.random(3, problem.batch(), groups, problem.keyLength(), problem.valueDim());
        return new Inputs(
                query.to(problem.dtype()),
                key.to(problem.storage().key()),
                value.to(problem.storage().value()),
                problem.attention());
    }

    /** Shapes and operation, checked against each other. */
    public AttentionProblem problem() {
        return AttentionProblem.of(query, key, value, attention);
    }

    /** The same with another query. */
    public Inputs withQuery(Tensor other) {
        return new Inputs(other, key, value, attention);
    }

    /** The same with another key. */
    public Inputs withKey(Tensor other) {
        return new Inputs(query, other, value, attention);
    }

    /** The same with another value. */
    public Inputs withValue(Tensor other) {
        return new Inputs(query, key, other, attention);
    }

    /** The same tensors with another operation. */
    public Inputs with(Attention operation) {
        return new Inputs(query, key, value, operation);
    }
}
