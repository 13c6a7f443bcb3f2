package dev.attention4j.expression;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The generator of dropout: the published vectors of Random123, and the rates that thresholds give. */
class PhiloxTest {
    private static int[] words(int... counterAndKey) {
        int[] words = Arrays.copyOf(counterAndKey, 4);
        Philox.encrypt(words, counterAndKey[4], counterAndKey[5]);
        return words;
    }

    @Test
    void givesThePublishedWords() {
        assertThat(words(0, 0, 0, 0, 0, 0)).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertThat(words(-1, -1, -1, -1, -1, -1)).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertThat(words(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    /** 0.1 is no multiple of 2⁻³²: its 429496729.6 of 2³² words are rounded. The greatest rate keeps the greatest word. */
    @Test
    void aRateIsRoundedToWords() {
        assertThat(new Dropout(0.1, 0).threshold()).isEqualTo(429496730);
        assertThat(new Dropout(0.5, 0).threshold()).isEqualTo(1L << 31);
        assertThat(new Dropout(1e-20, 0).threshold()).isZero();
        assertThat(new Dropout(Math.nextDown(1.0), 0).threshold()).isEqualTo(0xffffffffL);
    }

    /** Within four standard deviations of 10⁷ draws, and so for each word of a counter. */
    @Test
    void keepsAsManyAsTheRateSays() {
        for (double rate : new double[] {0.1, 0.5, 0.9}) {
            Dropout dropout = new Dropout(rate, 0x1234_5678_9abc_def0L);
            Origin whole = Origin.of(100, 1000);
            int[] keptByWord = new int[4];
            for (int row = 0; row < 10_000; row++) {
                boolean[] kept = dropout.kept(whole, row / 1000, row / 100 % 10, row % 100, 0, 1000);
                for (int key = 0; key < kept.length; key++) {
                    keptByWord[key % 4] += kept[key] ? 1 : 0;
                }
            }
            double draws = 1e7;
            double all = 0;
            for (int count : keptByWord) {
                assertThat(Math.abs(count - draws / 4 * (1 - rate)))
                        .isLessThan(4 * Math.sqrt(draws / 4 * rate * (1 - rate)));
                all += count;
            }
            assertThat(Math.abs(all - draws * (1 - rate))).isLessThan(4 * Math.sqrt(draws * rate * (1 - rate)));
        }
    }

    /** A part counts from its origin, and may begin at any key. */
    @Test
    void aPartOfACallIsAsInTheWhole() {
        Dropout dropout = new Dropout(0.5, 7);
        boolean[] whole = dropout.kept(Origin.of(9, 50), 1, 5, 8, 0, 50);
        boolean[] part = dropout.kept(new Origin(1, 3, 0, 6, 9, 50), 0, 2, 2, 13, 30);
        assertThat(part).isEqualTo(Arrays.copyOfRange(whole, 13, 43));
        assertThat(dropout.kept(Origin.of(9, 50), 1, 5, 7, 0, 50)).isNotEqualTo(whole);
        assertThat(new Dropout(0.5, 7L << 32).kept(Origin.of(9, 50), 1, 5, 8, 0, 50))
                .isNotEqualTo(whole);
    }
}
