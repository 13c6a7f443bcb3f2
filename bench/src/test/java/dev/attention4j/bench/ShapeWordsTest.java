package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.bench.Result.ShapeWords;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeWordsTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1.8.8.1024.1024.64 | Self-attention, 8 heads, 1,024 tokens, head dim 64",
                "4.8.8.1024.1024.64:causal | Self-attention, 8 heads, 1,024 tokens, head dim 64, batch 4, causal",
                "1.32.8.2048.2048.128:mask | Self-attention, 32 heads on 8, 2,048 tokens, head dim 128, mask",
                "8.8.8.1.4096.64 | Decoding one token, 8 heads, 4,096 keys, head dim 64, batch 8",
                "1.1.1.1.1.64 | Decoding one token, 1 head, 1 key, head dim 64",
                "1.4.4.7.12.64.32 | Cross-attention, 4 heads, 7 queries, 12 keys, head dim 64 to 32",
                "1.8.8.64.64.64:mask-if-documents | Self-attention, 8 heads, 64 tokens, head dim 64, mask if documents",
                "layer:8.512.512.8 | Whole layer, 8 heads, 512 tokens, 512 wide, batch 8",
                "gemm:4096.512.1024 | Projection, 4,096 rows, 512 to 1,024 wide"
            })
    void saysWhatAShapeIs(String shape, String words) {
        assertThat(ShapeWords.of(Grid.parseList(shape).get(0))).isEqualTo(words);
    }
}
