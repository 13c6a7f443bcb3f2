package dev.attention4j.conformance.suite;

import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;

/** Whether two results that hold output and log-sum-exp are the same, bit for bit. */
final class Bits {
    private Bits() {}

    static boolean same(AttentionResult one, AttentionResult other) {
        return same(one.output(), other.output()) && same(one.logSumExp(), other.logSumExp());
    }

    private static boolean same(Tensor one, Tensor other) {
        return one.contiguous().bytes().equals(other.contiguous().bytes());
    }
}
