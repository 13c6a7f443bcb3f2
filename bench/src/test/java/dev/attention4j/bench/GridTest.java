package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionBuilder;
import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.ScoreExpression;
import dev.attention4j.ScoreExpressions;
import dev.attention4j.StorageTypes;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.ScoreOption;
import dev.attention4j.measure.Shape;
import java.lang.reflect.Field;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GridTest {
    @Test
    void readsSizesInOrder() {
        AttentionShape shape = AttentionShape.parse("1.6.3.10.20.32.48");
        assertThat(shape)
                .isEqualTo(new AttentionShape(1, 6, 3, 10, 20, 32, 48, ScoreOption.NONE))
                .hasToString("1.6.3.10.20.32.48");
    }

    @Test
    void valueWidthIsHeadWidthUnlessGiven() {
        assertThat(AttentionShape.parse("1.2.2.3.4.5").valueDim()).isEqualTo(5);
        assertThat(AttentionShape.parse("1.2.2.3.4.5.5")).isEqualTo(AttentionShape.parse("1.2.2.3.4.5"));
    }

    @Test
    void readsRestrictions() {
        assertThat(AttentionShape.parse("1.2.2.3.3.5:causal").isCausal()).isTrue();
        assertThat(AttentionShape.parse("1.2.2.3.3.5:mask").isMasked()).isTrue();
        assertThat(AttentionShape.parse("1.2.2.3.3.5:mask")).hasToString("1.2.2.3.3.5:mask");
        assertThat(AttentionShape.parse("1.2.2.3.3.5:causal").sizes()).isEqualTo("1.2.2.3.3.5");
    }

    /** Every ready-made expression can be measured, by the name of its constant. */
    @Test
    void readsExpressions() throws IllegalAccessException {
        for (Field field : ScoreExpressions.class.getFields()) {
            ScoreExpression expression = (ScoreExpression) field.get(null);
            ScoreOption option =
                    ScoreOption.valueOf((expression.isBoolean() ? "MASK_IF_" : "SCORE_") + field.getName());
            String text = "2.4.2.40.40.16" + option.suffix();
            AttentionShape shape = AttentionShape.parse(text);
            assertThat(shape)
                    .hasToString(text)
                    .extracting(AttentionShape::option)
                    .isEqualTo(option);
            Attention attention = shape.problem(DType.FLOAT32).attention();
            assertThat(expression.isBoolean() ? attention.maskIf() : attention.score())
                    .contains(expression);
        }
        assertThat(ScoreOption.MASK_IF_SLIDING_WINDOW.suffix()).isEqualTo(":mask-if-sliding-window");
    }

    /** Peers get a tensor: of a mask its values, of a score the numbers that it adds. */
    @Test
    void expressionsAreTensorsForPeers() {
        Tensor documents = Inputs.of(AttentionShape.parse("2.4.2.48.48.16:mask-if-documents"), DType.FLOAT32)
                .maskTensor()
                .orElseThrow();
        assertThat(documents.shape()).containsExactly(1, 1, 48, 48);
        boolean[] attends = documents.toBooleanArray();
        for (int n = 0; n < attends.length; n++) {
            assertThat(attends[n]).isEqualTo(n / 48 / 3 == n % 48 / 3);
        }
        Tensor alibi = Inputs.of(AttentionShape.parse("2.4.2.3.5.16:score-alibi"), DType.FLOAT32)
                .maskTensor()
                .orElseThrow();
        assertThat(alibi.shape()).containsExactly(1, 4, 3, 5);
        float[] added = alibi.toFloatArray();
        float[] slopes = AttentionBuilder.geometricSlopes(4);
        for (int n = 0; n < added.length; n++) {
            assertThat(added[n]).isEqualTo(-slopes[n / 15] * Math.abs(n / 5 % 3 + 2 - n % 5));
        }
        Tensor prefix = Inputs.of(AttentionShape.parse("2.4.2.8.8.16:mask-if-prefix"), DType.FLOAT32)
                .maskTensor()
                .orElseThrow();
        assertThat(prefix.shape()).containsExactly(2, 1, 8, 8);
    }

    @Test
    void readsCaches() {
        AttentionShape plain = AttentionShape.parse("2.8.2.1.300.64:cache");
        assertThat(plain.cache()).isEqualTo(new AttentionShape.Cache(DType.FLOAT32, 0));
        assertThat(plain).hasToString("2.8.2.1.300.64:cache").isEqualTo(AttentionShape.parse(plain + "-float32"));
        assertThat(plain.problem(DType.FLOAT32).attention().isCausal()).isFalse();
        assertThat(AttentionShape.parse("2.8.2.5.300.64:pages16-float16"))
                .hasToString("2.8.2.5.300.64:pages16-float16")
                .extracting(AttentionShape::cache)
                .isEqualTo(new AttentionShape.Cache(DType.FLOAT16, 16));
        AttentionShape half = AttentionShape.parse("2.8.2.5.300.64:cache-float16");
        assertThat(half).hasToString("2.8.2.5.300.64:cache-float16");
        AttentionProblem problem = half.problem(DType.FLOAT32);
        assertThat(problem.storage()).isEqualTo(new StorageTypes(DType.FLOAT32, DType.FLOAT16, DType.FLOAT16));
        assertThat(problem.attention().alignment()).isEqualTo(Alignment.BOTTOM_RIGHT);
        // The numbers that contenders get are those that the cache holds.
        float[] keys = Inputs.of(half, DType.FLOAT32).key().toFloatArray();
        assertThat(keys)
                .containsExactly(Tensor.of(keys, keys.length).to(DType.FLOAT16).toFloatArray());
        for (String wrong : List.of(
                "1.2.2.3.3.5:cache:backward",
                "1.2.2.3.3.5:training:backward",
                "1.2.2.3.3.5:cached",
                "1.2.2.4.3.5:cache",
                "1.2.2.3.3.5:mask:cache",
                "1.2.2.3.3.5:pages")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> AttentionShape.parse(wrong))
                    .withMessageContaining("\"" + wrong + "\"");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AttentionShape.parse("1.2.2.3.3.5:cache-int9"))
                .withMessageStartingWith("cache: \"int9\", must be one of [float32, float16");
    }

    @Test
    void gradientsAreFiveProductsBesideTheForwardPassesTwo() {
        AttentionShape forward = AttentionShape.parse("2.4.2.30.20.16:causal");
        AttentionShape backward = AttentionShape.parse("2.4.2.30.20.16:causal:backward");
        AttentionShape training = AttentionShape.parse("2.4.2.30.20.16:causal:training");
        assertThat(backward).hasToString("2.4.2.30.20.16:causal:backward").isNotEqualTo(training);
        assertThat(backward.isCausal()).isTrue();
        assertThat(backward.withPass(AttentionShape.Pass.FORWARD)).isEqualTo(forward);
        assertThat(backward.flops()).isEqualTo(2.5 * forward.flops());
        assertThat(training.flops()).isEqualTo(3.5 * forward.flops());
        // Three of the five are of the head's width, two of the values'.
        assertThat(AttentionShape.parse("1.1.1.10.10.4.8:backward").flops()).isEqualTo(2.0 * 10 * 10 * (3 * 4 + 2 * 8));
    }

    @Test
    void readsListsAndTheGridOnce() {
        List<Shape> list = Grid.parseList("1.2.2.3.3.5, 1.2.2.3.3.5:causal,1.2.2.3.3.5");
        assertThat(list).hasToString("[1.2.2.3.3.5, 1.2.2.3.3.5:causal]");
        assertThat(Grid.parseList("grid,4.8.8.1024.1024.64")).isEqualTo(Grid.SHAPES);
    }

    @Test
    void theGridHasEveryShapeThatFiguresArePublishedFor() {
        assertThat(Grid.SHAPES)
                .hasSize(25)
                .extracting(AttentionShape::toString)
                .contains(
                        "1.8.8.3001.3001.80:causal",
                        "1.32.8.2048.2048.128:causal",
                        "8.8.8.1.4096.64",
                        "1.32.32.1.16384.128",
                        "4.8.8.1024.1024.64:mask",
                        "1.4.4.4096.4096.512",
                        "1.1.1.1.1.64",
                        "1.8.8.16.16.64",
                        "1.2.2.64.64.64",
                        "1.16.16.77.77.64");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "4",
                "1.2.3.4.5",
                "1.2.2.3.4.5.6.7",
                "1.2.2.3.4.x",
                "1.2.2.3.4.-5",
                "1.2.2.3.4.5:window",
                "1.2.2.3.4.5:causal:mask",
                "1.2.2.3.4.5:mask-if",
                "1.2.2.3.4.5:score-documents",
                "1.2.2.0.4.5",
                "1.3.2.4.4.5",
                "1.1.1.99999999999.1.1",
                "64.64.64.65536.65536.128",
                "1.1.1.60000.60000.1:mask",
                "layer:",
                "layer:1.2.3",
                "layer:1.2.4.2.1",
                "layer:1.2.4.0",
                "layer:1.2.4.3",
                "layer:1.2.4.-2",
                "layer:9999.9999.9999.1",
                "gemm:1.2",
                "gemm:1.0.2",
                "gemm:1.2.x",
                "gemm:99999.1.99999",
                "lstm:1.2.3"
            })
    void refusesOtherTextsByName(String text) {
        assertThatThrownBy(() -> Grid.parseList(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("shape: \"" + text + "\"")
                .hasMessageContaining("must be")
                .hasMessageNotContaining("\n");
    }

    @Test
    void refusesAnEmptyEntryOfAList() {
        assertThatThrownBy(() -> Grid.parseList("1.2.2.3.3.5,"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("shape: \"\"");
    }

    @Test
    void inputsAreTheSameForTheSameShape() {
        AttentionShape shape = AttentionShape.parse("2.4.2.300.300.64:mask");
        Inputs one = Inputs.of(shape, DType.FLOAT32);
        Inputs other = Inputs.of(shape, DType.FLOAT32);
        assertThat(one.query().toFloatArray()).isEqualTo(other.query().toFloatArray());
        assertThat(one.key().toFloatArray())
                .isNotEqualTo(one.value().toFloatArray())
                .hasSize(2 * 2 * 300 * 64);
        boolean[] mask = one.problem().attention().mask().orElseThrow().toBooleanArray();
        int attended = 0;
        for (boolean attend : mask) {
            attended += attend ? 1 : 0;
        }
        assertThat(attended / (double) mask.length).isBetween(0.7, 0.8);
    }
}
