package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {
    @TempDir
    private Path folder;

    @Test
    void showsWhoAttendsToWhomChecksItAndTimesIt() throws IOException {
        Path picture = folder.resolve("picture.png");

        Path page = folder.resolve("page.html");

        Cli cli = Cli.run("demo", "--quick", "--device", "cpu", "--picture", picture, "--page", page);

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out())
                .contains("\"The train left the station on time.\"", "head 4", "right: none is above 1e-5")
                .containsPattern("train +0\\.69\\d +\\S+");
        assertThat(cli.out().lines())
                .anyMatch(line -> line.matches("attention of 1 x 8 heads x \\d+ tokens x 64: plain Java on \\d+ cores?"
                        + " .*s, .*s: plain Java is \\d+\\.\\dx (faster|slower)"));
        assertThat(cli.out()).contains("page      " + page);
        assertThat(Files.readString(page))
                .contains("The train left the station on time.", "\"station\"")
                .containsPattern("\\b69\\d\\d\\b");
        BufferedImage image = ImageIO.read(picture.toFile());
        assertThat(image.getWidth()).isGreaterThan(1000);
        assertThat(image.getHeight()).isGreaterThan(1000);
        assertThat(orange(image)).isGreaterThan(1000);
        // The head's largest weight, of "station" to "train", has the strongest colour of the page.
        assertThat(Files.readString(page)).contains("\"light\":[\"#ffffff\",\"#f58a1f\"]");
        assertThat(count(image, 0xF58A1F)).isGreaterThan(60 * 60);
    }

    @Test
    void verdictSaysWhoIsFaster() {
        EngineInfo gpu = new EngineInfo("opencl:0", EngineInfo.Kind.GPU, "A GPU", "maker", "1.0", Map.of());
        EngineInfo cpu = Engines.resolve("cpu");

        assertThat(Race.verdict(gpu, cpu, 2048, 1.234, 617.0))
                .matches(
                        "attention of 1 x 8 heads x 2048 tokens x 64: A GPU 1\\.23 ms, plain Java on \\d+ cores? 617 ms:"
                                + " the device is 500\\.0x faster");
        assertThat(Race.verdict(gpu, cpu, 2048, 90, 30)).endsWith("30.0 ms: the device is 3.0x slower");
    }

    @Test
    void differencesAreNeverHidden() {
        double[] numbers = {0, 1, Double.NEGATIVE_INFINITY};

        assertThat(Verification.difference(numbers, numbers)).isZero();
        assertThat(Verification.difference(new double[] {0, 1.5, 3}, new double[] {0, 1, 3}))
                .isEqualTo(0.5);
        assertThat(Verification.difference(new double[] {0, Double.NaN, 3}, new double[] {0, 1, 3}))
                .isNaN();
        assertThat(Verification.difference(new double[] {0, 1, 3}, new double[] {0, Double.NaN, 3}))
                .isNaN();
        assertThat(Verification.difference(new double[] {Double.NaN}, new double[] {Double.NaN}))
                .isZero();
        assertThat(Verification.difference(new double[] {1}, new double[] {Double.NEGATIVE_INFINITY}))
                .isInfinite();
    }

    private static int count(BufferedImage image, int rgb) {
        int count = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                count += (image.getRGB(x, y) & 0xFFFFFF) == rgb ? 1 : 0;
            }
        }
        return count;
    }

    /** How many pixels are of the strong colour of a large weight. */
    private static int orange(BufferedImage image) {
        int count = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                int red = image.getRGB(x, y) >> 16 & 0xFF;
                int blue = image.getRGB(x, y) & 0xFF;
                count += red > 220 && blue < 150 ? 1 : 0;
            }
        }
        return count;
    }
}
