package dev.attention4j.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.Attention;
import dev.attention4j.AttentionResult;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.Handle;
import dev.attention4j.testing.TestEngines;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A text that is written token by token, as the engine chooses to compute it, costs no more at its end but time. */
class GrowingCacheTest {
    private static final int TOKENS = 1000;
    private static final int LAST_BUILD = 10;
    private static final CacheShape SHAPE = CacheShape.of(2, 2, TOKENS, 64).withTypes(DType.FLOAT16, DType.Q8_0);

    private final Tensor query = Tensor.random(1, 2, 4, 1, 64);
    private final Tensor key = Tensor.random(2, 2, 2, 1, 64);

    static Iterable<EngineInfo> devices() {
        return TestEngines.quickOpenCl();
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aThousandTokens(EngineInfo info) {
        try (OpenClEngine engine = open(info);
                KeyValueCache cache = KeyValueCache.open(
                        engine, SHAPE, RotaryEmbedding.builder(64, TOKENS).build())) {
            write(engine, token -> cache.attend(query, key, key, Attention.DEFAULT));
            assertThat(cache.length(1)).isEqualTo(TOKENS);
        }
    }

    @ParameterizedTest
    @MethodSource("devices")
    void aThousandTokensInPages(EngineInfo info) {
        try (OpenClEngine engine = open(info);
                PagedKeyValueCache cache = PagedKeyValueCache.open(engine, SHAPE, 16)) {
            int[] texts = {cache.newSequence(), cache.newSequence()};
            write(engine, token -> cache.attend(texts, query, key, key, Attention.DEFAULT));
            assertThat(cache.length(texts[1])).isEqualTo(TOKENS);
        }
    }

    private static OpenClEngine open(EngineInfo info) {
        return (OpenClEngine) Engines.open(info.id(), EngineOptions.DEFAULT);
    }

    private static void write(OpenClEngine engine, Function<Integer, AttentionResult> step) {
        long bytes = 0;
        long handles = 0;
        int builds = 0;
        for (int token = 0; token < TOKENS; token++) {
            step.apply(token).close();
            if (token == 0) {
                bytes = engine.mostDeviceBytes();
            }
            if (token == LAST_BUILD) {
                builds = engine.context().builds().size();
                handles = Handle.live();
            }
        }
        assertThat(engine.mostDeviceBytes()).as("device memory").isEqualTo(bytes);
        assertThat(engine.context().builds()).as("kernels").hasSize(builds);
        assertThat(Handle.live()).as(Handle::report).isEqualTo(handles);
    }
}
