package dev.attention4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttentionPageTest {
    private static final Pattern DATA =
            Pattern.compile("(?s)<script id=\"data\" type=\"application/json\">(.*?)</script>");

    @TempDir
    private Path folder;

    @Test
    void holdsTokensAndWeightsAndNeedsNothingElse() throws IOException {
        Path file = folder.resolve("page.html");
        Tensor weights = Tensor.of(new float[] {0.25f, 0.75f, 1, 0, 0.123456f, 0.876544f}, 3, 1, 2);
        new AttentionPage("Two & one", List.of("</script><b>"), List.of("a", "β"))
                .layer("first", weights)
                .layer("second", weights.slice(0, 0, 1))
                .firstHead(2)
                .write(file);
        String page = Files.readString(file);
        Matcher matcher = DATA.matcher(page);
        assertThat(matcher.find()).isTrue();
        Map<String, Object> data = JSON.std.mapFrom(matcher.group(1));
        assertThat(data)
                .containsEntry("title", "Two & one")
                .containsEntry("queries", List.of("</script><b>"))
                .containsEntry("keys", List.of("a", "β"))
                .containsEntry("head", 2)
                .containsEntry(
                        "layers",
                        List.of(
                                Map.of(
                                        "name",
                                        "first",
                                        "heads",
                                        List.of(List.of(0.25, 0.75), List.of(1.0, 0.0), List.of(0.1235, 0.8765))),
                                Map.of("name", "second", "heads", List.of(List.of(0.25, 0.75)))));
        assertThat(page)
                .doesNotContain("http://", "https://", "src=", "url(", "@import")
                .contains("default-src 'none'");
    }

    @Test
    void whatDoesNotFitTheTokensIsRefused() {
        AttentionPage page = new AttentionPage("t", List.of("a", "b"), List.of("a", "b", "c"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> page.layer("l", Tensor.random(1, 4, 3, 2)))
                .withMessage("weights: shape [4, 3, 2], must be [heads, 2, 3] for these tokens");
        assertThatIllegalStateException().isThrownBy(() -> page.write(folder.resolve("none.html")));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AttentionPage("t", List.of(), List.of("a")))
                .withMessage("queries, keys: 0 and 1 tokens, must be at least one of each");
    }
}
