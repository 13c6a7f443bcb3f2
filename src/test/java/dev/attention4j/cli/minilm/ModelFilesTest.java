package dev.attention4j.cli.minilm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.attention4j.testing.SmallModel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTest {
    @TempDir
    private Path folder;

    @Test
    void weightsAreFoundByTheirModulesNames() throws IOException {
        OnnxWeights weights = OnnxWeights.read(SmallModel.onnx());
        assertThat(weights.tensor("embeddings.word_embeddings.weight").shape()).containsExactly(13, 48);
        assertThat(weights.tensor("encoder.layer.1.intermediate.dense.kernel").shape())
                .containsExactly(48, 192);
        assertThat(weights.has("encoder.layer.2.output.dense.bias")).isFalse();
        // The first that was drawn.
        assertThat(weights.array("embeddings.word_embeddings.weight")[0])
                .isEqualTo((float) new Random(7).nextGaussian() / 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> weights.tensor("none"))
                .withMessage("model: it has no weight none, must be all-MiniLM-L6-v2");
    }

    /** Whatever byte is another, or wherever the file ends: an error that says so, or weights, and nothing else. */
    @Test
    void aDamagedFileIsRefusedOrRead() {
        byte[] file = SmallModel.onnx();
        Random random = new Random(1);
        int refused = 0;
        for (int n = 0; n < 3000; n++) {
            byte[] damaged = random.nextBoolean() ? file.clone() : Arrays.copyOf(file, random.nextInt(file.length));
            for (int flips = random.nextInt(4); flips >= 0 && damaged.length > 0; flips--) {
                // Most of the file are weights, which may be anything: the first bytes and the last say more.
                int at = random.nextInt(damaged.length);
                damaged[random.nextBoolean() ? at : at % Math.min(damaged.length, 300)] = (byte) random.nextInt();
            }
            try {
                OnnxWeights weights = OnnxWeights.read(damaged);
                if (weights.has("embeddings.LayerNorm.weight")) {
                    weights.tensor("embeddings.LayerNorm.weight");
                }
            } catch (IOException | IllegalArgumentException e) {
                assertThat(e.getMessage()).containsPattern("damaged|model: ");
                refused++;
            }
        }
        assertThat(refused).isGreaterThan(500);
    }

    @Test
    void whatIsNoModelIsNamed() throws IOException {
        Path text = Files.writeString(folder.resolve("a.jar"), "no jar");
        assertThatThrownBy(() -> MiniLm.ModelFiles.read(text))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("a.jar: is no jar");
        assertThatThrownBy(() -> MiniLm.ModelFiles.read(folder))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has no file *.onnx, must hold the model all-MiniLM-L6-v2");
        assertThatThrownBy(() -> WordPieces.read(
                        new ByteArrayInputStream("{\"model\": {\"vocab\": {}}}".getBytes(StandardCharsets.UTF_8)), 10))
                .isInstanceOf(IOException.class)
                .hasMessage("tokenizer: its vocabulary has no [CLS], must be BERT's word pieces");
    }

    @Test
    void wordsAreSplitIntoTheLongestPieces() throws IOException {
        WordPieces pieces = WordPieces.read(new ByteArrayInputStream(SmallModel.tokenizer()), 10);
        SentenceTokens tokens = pieces.tokenize("The Tráin\tleft,until.");
        assertThat(tokens.tokens())
                .containsExactly("[CLS]", "the", "train", "left", "[UNK]", "un", "##til", ".", "[SEP]");
        assertThat(tokens.ids()).containsExactly(2, 4, 5, 6, 1, 11, 12, 10, 3);
        assertThat(tokens.isCut()).isFalse();
        assertThat(pieces.tokenize("the untils").tokens()).containsExactly("[CLS]", "the", "[UNK]", "[SEP]");
        SentenceTokens cut = pieces.tokenize("the ".repeat(9));
        assertThat(cut.length()).isEqualTo(10);
        assertThat(cut.isCut()).isTrue();
    }

    /** Abramowitz and Stegun, table 7.1, and the tables of Mathematica. */
    @Test
    void erfIsThatOfTables() {
        assertThat(EncoderLayer.erf(0)).isZero();
        assertThat(EncoderLayer.erf(0.5)).isCloseTo(0.5204998778130465, within(1e-15));
        assertThat(EncoderLayer.erf(-1)).isCloseTo(-0.8427007929497149, within(1e-15));
        assertThat(EncoderLayer.erf(2)).isCloseTo(0.9953222650189527, within(1e-15));
        assertThat(EncoderLayer.erf(3)).isCloseTo(0.9999779095030014, within(1e-15));
        assertThat(EncoderLayer.erf(40)).isEqualTo(1);
        assertThat(EncoderLayer.erf(Double.NaN)).isNaN();
    }
}
