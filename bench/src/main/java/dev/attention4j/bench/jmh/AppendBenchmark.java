package dev.attention4j.bench.jmh;

import dev.attention4j.AttentionEngine;
import dev.attention4j.CacheShape;
import dev.attention4j.KeyValueCache;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.Arrays;
import java.util.List;

/** {@code cache/append.cl}, which writes new keys and values into a cache: as many tokens as the shape has queries. */
public class AppendBenchmark extends KernelBenchmark {
    private OpenClEngine openCl;
    private KeyValueCache cache;
    private Tensor key;
    private Tensor value;

    /** Names the kernel and the usual shape: a token for each of several sequences. */
    public AppendBenchmark() {
        super("append", AttentionKernelBenchmark.DECODING);
    }

    @Override
    void open(String given) {
        AttentionShape sizes = AttentionShape.parse(given);
        AttentionEngine opened = AttentionEngine.open(engine);
        if (!(opened instanceof OpenClEngine device)) {
            opened.close();
            throw new IllegalArgumentException("engine: \"" + engine + "\", must be an OpenCL device");
        }
        openCl = device;
        int batch = sizes.batch();
        int heads = sizes.keyValueHeads();
        int tokens = sizes.queryLength();
        cache = KeyValueCache.open(
                openCl,
                CacheShape.of(batch, heads, sizes.keyLength(), sizes.headDim()).withValueDim(sizes.valueDim()));
        key = openCl.upload(Tensor.random(1, batch, heads, tokens, sizes.headDim()));
        value = openCl.upload(Tensor.random(2, batch, heads, tokens, sizes.valueDim()));
        cache.append(key, value);
        if (!Arrays.equals(cache.values().toFloatArray(), value.toFloatArray())) {
            throw new IllegalStateException("the cache's values are not those appended");
        }
    }

    @Override
    public void close() {
        openCl.close();
    }

    @Override
    void profileInto(List<ClEvent> events) {
        openCl.profileInto(events);
    }

    @Override
    void launch() {
        cache.clear();
        cache.append(key, value);
    }
}
