package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Float16Test {
    @Test
    void everyHalfSurvivesTheWayToFloatAndBack() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            short half = (short) bits;
            float number = Float16.toFloat(half);
            if (Float.isNaN(number)) {
                assertThat(Float16.toFloat(Float16.fromFloat(number))).isNaN();
            } else {
                assertThat(Float16.fromFloat(number)).as("bits %x", bits).isEqualTo(half);
            }
        }
    }

    @Test
    void everyBfloatSurvivesTheWayToFloatAndBack() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            short bfloat = (short) bits;
            float number = Float16.bfloatToFloat(bfloat);
            if (Float.isNaN(number)) {
                assertThat(Float16.bfloatToFloat(Float16.bfloatFromFloat(number)))
                        .isNaN();
            } else {
                assertThat(Float16.bfloatFromFloat(number)).as("bits %x", bits).isEqualTo(bfloat);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0x1p0, 0x3C00",
        "-2, 0xC000",
        "65504, 0x7BFF",
        "65519.996, 0x7BFF",
        "65520, 0x7C00",
        "1e30, 0x7C00",
        "-Infinity, 0xFC00",
        "0x1p-24, 0x0001",
        "0x1p-25, 0x0000",
        "0x1.8p-25, 0x0001",
        "0x1p-14, 0x0400",
        "0x1.ff8p-15, 0x03FF",
        "0x1.ffcp-15, 0x0400",
        "0x1.002p0, 0x3C00",
        "0x1.006p0, 0x3C02",
        "-0.0, 0x8000"
    })
    void roundsToNearestEven(String number, String bits) {
        assertThat(Float16.fromFloat(Float.parseFloat(number)))
                .isEqualTo((short) Integer.decode(bits).intValue());
    }

    @Test
    void roundingIsNeverWorseThanEitherNeighbour() {
        Random random = new Random(7);
        for (int n = 0; n < 200_000; n++) {
            float number = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(30) - 20));
            if (Math.abs(number) >= 65504) {
                continue;
            }
            short half = Float16.fromFloat(number);
            double error = Math.abs(Float16.toFloat(half) - (double) number);
            for (int step : new int[] {-1, 1}) {
                int magnitude = (half & 0x7FFF) + step;
                if (magnitude >= 0) {
                    float neighbour = Float16.toFloat((short) ((half & 0x8000) | magnitude));
                    assertThat(error).isLessThanOrEqualTo(Math.abs(neighbour - (double) number));
                }
            }
        }
    }

    @Test
    void doublesAreRoundedOnce() {
        // Halfway between two of them but for the last bit, which a float does not have.
        assertThat(Float16.toFloat(Float16.fromDouble(1 + 0x1p-11 + 0x1p-40))).isEqualTo(1 + 0x1p-10f);
        assertThat(Float16.toFloat(Float16.fromDouble(1 + 0x3p-11 - 0x1p-40))).isEqualTo(1 + 0x1p-10f);
        assertThat(Float16.toFloat(Float16.fromDouble(-1 - 0x1p-11 - 0x1p-40))).isEqualTo(-1 - 0x1p-10f);
        assertThat(Float16.bfloatToFloat(Float16.bfloatFromDouble(1 + 0x1p-8 + 0x1p-40)))
                .isEqualTo(1 + 0x1p-7f);
        assertThat(Float16.toFloat(Float16.fromDouble(0x1p-25 + 0x1p-60))).isEqualTo(0x1p-24f);
        assertThat(Float16.toFloat(Float16.fromDouble(1e300))).isInfinite();
        assertThat(Float16.toFloat(Float16.fromDouble(-1e-300))).isZero();
        assertThat(Float16.toFloat(Float16.fromDouble(Double.NaN))).isNaN();
    }
}
