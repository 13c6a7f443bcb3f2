package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AttentionTest {
    private static final String EVERYTHING = "Attention[scale=0.5, softcap=3.0, causal, window=4,1, offsets=[2],"
            + " mask=[1, 3], bias=[3], queryMask=[1, 2], keyLengths=[3], cumulativeLengths=[0, 2],[0, 3],"
            + " alibiSlopes=[0.25], sinks=[-1.0], weights, logSumExp]";

    private static AttentionBuilder everything(float[] slopes, int[] offsets) {
        return Attention.builder()
                .scale(0.5)
                .softcap(3)
                .causalOffsets(offsets)
                .window(4, 1)
                .mask(Tensor.of(new boolean[] {true, true, false}, 1, 3))
                .bias(Tensor.of(new float[] {1, 2, 3}, 3))
                .queryMask(Tensor.of(new boolean[] {true, false}, 1, 2))
                .keyLengths(3)
                .cumulativeLengths(new int[] {0, 2}, new int[] {0, 3})
                .alibiSlopes(slopes)
                .sinks(-1)
                .weights(true)
                .logSumExp(true);
    }

    @Test
    void aBuilderStartsFromEveryOptionAndChangesNoneOfThem() {
        Attention first = everything(new float[] {0.25f}, new int[] {2}).build();
        assertThat(first).hasToString(EVERYTHING);
        assertThat(first.toBuilder().build()).hasToString(EVERYTHING);
        AttentionBuilder builder =
                first.toBuilder().align(Alignment.BOTTOM_RIGHT).alibiSlopes().weights(false);
        assertThat(builder.build().toString())
                .contains("causal, window=4,1, BOTTOM_RIGHT, mask")
                .doesNotContain("alibi")
                .doesNotContain("weights");
        assertThat(first).hasToString(EVERYTHING);
        Attention second = builder.build();
        builder.scale(7).mask(null);
        assertThat(second.scale()).hasValue(0.5);
        assertThat(second.mask()).isPresent();
    }

    @Test
    void arraysAreCopiedInAndOut() {
        float[] slopes = {0.25f};
        int[] offsets = {2};
        Attention attention = everything(slopes, offsets).build();
        slopes[0] = 9;
        offsets[0] = 9;
        attention.alibiSlopes()[0] = 9;
        attention.offsets()[0] = 9;
        attention.sinks()[0] = 9;
        attention.keyLengths()[0] = 9;
        attention.cumulativeQueryLengths()[1] = 9;
        attention.cumulativeKeyLengths()[1] = 9;
        assertThat(attention).hasToString(EVERYTHING);
    }
}
