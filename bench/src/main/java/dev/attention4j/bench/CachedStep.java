package dev.attention4j.bench;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * A step of decoding. The cache holds all but the last keys and values of a shape; the step appends these and attends to all.
 * Each run first truncates the cache to where it was, which moves no memory.
 */
final class CachedStep implements AutoCloseable {
    private final Supplier<AttentionResult> step;
    private final AutoCloseable cache;

    private CachedStep(Supplier<AttentionResult> step, AutoCloseable cache) {
        this.step = step;
        this.cache = cache;
    }

    /** Fills a cache of the shape's kind. */
    static CachedStep open(AttentionEngine engine, Inputs inputs) {
        return open(engine, inputs, inputs.query(), newTokens(inputs.key(), inputs), newTokens(inputs.value(), inputs));
    }

    /** As above, with the query and the new tokens where the caller wants them. */
    static CachedStep open(AttentionEngine engine, Inputs inputs, Tensor query, Tensor newKey, Tensor newValue) {
        AttentionShape sizes = inputs.shape();
        int past = sizes.keyLength() - sizes.queryLength();
        Tensor key = inputs.key().slice(2, 0, past);
        Tensor value = inputs.value().slice(2, 0, past);
        Attention attention = inputs.problem().attention();
        CacheShape shape = CacheShape.of(sizes.batch(), sizes.keyValueHeads(), sizes.keyLength(), sizes.headDim())
                .withValueDim(sizes.valueDim())
                .withTypes(sizes.cache().type(), sizes.cache().type());
        if (sizes.cache().pageSize() == 0) {
            KeyValueCache cache = KeyValueCache.open(engine, shape);
            cache.append(key, value);
            return new CachedStep(
                    () -> {
                        for (int text = 0; text < sizes.batch(); text++) {
                            cache.truncate(text, past);
                        }
                        return cache.attend(query, newKey, newValue, attention);
                    },
                    cache);
        }
        PagedKeyValueCache cache =
                PagedKeyValueCache.open(engine, shape, sizes.cache().pageSize());
        int[] texts = new int[sizes.batch()];
        Arrays.setAll(texts, text -> cache.newSequence());
        cache.append(texts, key, value);
        return new CachedStep(
                () -> {
                    for (int text : texts) {
                        cache.truncate(text, past);
                    }
                    return cache.attend(texts, query, newKey, newValue, attention);
                },
                cache);
    }

    /** The tokens of keys or values that a step appends. */
    static Tensor newTokens(Tensor keysOrValues, Inputs inputs) {
        int keys = inputs.shape().keyLength();
        return keysOrValues.slice(2, keys - inputs.shape().queryLength(), keys).contiguous();
    }

    AttentionResult run() {
        return step.get();
    }

    @Override
    public void close() {
        try {
            cache.close();
        } catch (Exception e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }
}
