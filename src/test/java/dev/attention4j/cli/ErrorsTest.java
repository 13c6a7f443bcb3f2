package dev.attention4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Bad usage and bad input: exit code 2, one line that says what to fix, no stack trace. */
class ErrorsTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"demo", "devices", "doctor", "attend", "conformance", "tune"})
    void everyCommandHasHelp(String command) {
        Cli cli = Cli.run(command, "--help");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).startsWith("Usage: attention4j " + command);
        assertThat(cli.out().lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(Text.WIDTH));
    }

    @Test
    void noCommandPrintsUsage() {
        Cli cli = Cli.run();

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.out())
                .contains("Usage: attention4j", "demo", "devices", "doctor", "attend", "conformance", "tune");
    }

    @Test
    void helpIsACommandToo() {
        assertThat(Cli.run("help").out()).startsWith("Usage: attention4j ");
        assertThat(Cli.run("help", "attend").out()).startsWith("Usage: attention4j attend");
    }

    @Test
    void versionIsPrinted() {
        Cli cli = Cli.run("--version");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out()).startsWith("attention4j ").contains("Java ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "devices --no-such-option | option: \"--no-such-option\" is not known (attention4j devices --help)",
                "help attnd | command: \"attnd\", must be one of",
                "attnd | command: \"attnd\", must be one of demo, devices, doctor, attend, conformance, tune, help",
                "attend | IN.safetensors",
                "attend in --scale much | '--scale': \"much\" is not a number",
                "attend in --softcap -1 | attention4j: --softcap: -1.0, must be",
                "attend in --scale NaN | attention4j: --scale: NaN, must be",
                "attend in --causal middle | \"middle\" is no alignment, must be top-left or bottom-right",
                "attend in --window 3 | \"3\" is no window, must be",
                "attend in --window 3,x | \"3,x\" is no window, must be",
                "attend in --window -2,0 | attention4j: --window: left -2",
                "attend in --offsets 1,x | \"x\" is not a whole number",
                "attend in --causal top-left --offsets 1 | --offsets: given with --causal",
                "attend in --align top-left | --align: must be given with --window, --alibi, --score or --mask-if",
                "attend in --key-lengths -3 | attention4j: --key-lengths: -3, must be 0 or more",
                "attend in --key-lengths 3,x | \"x\" is not a whole number",
                "attend in --key-lengths 3 --cumulative-lengths 0,3 | --key-lengths: given with --cumulative-lengths",
                "attend in --cumulative-lengths 0,3:0,4:0,5 | \"0,3:0,4:0,5\" are no cumulative lengths, must be",
                "attend in --cumulative-lengths 0,,3 | \"0,,3\" are no cumulative lengths, must be",
                "attend in --cumulative-lengths 1,3 | attention4j: --cumulative-lengths: queries [1, 3], must be sequences + 1",
                "attend in --cumulative-lengths 0,3:0,4,5 | attention4j: --cumulative-lengths: 2 numbers for queries and 3 for keys",
                "attend in --alibi steep | \"steep\" are no slopes, must be geometric or numbers",
                "attend in --alibi -inf | attention4j: --alibi: -Infinity, must be finite",
                "attend in --sinks 1,much | \"1,much\" are no logits, must be numbers (or -inf)",
                "attend in --sinks NaN | attention4j: --sinks: NaN, must be finite or -infinity",
                "attend no/such/file.safetensors --device cpu | no/such/file.safetensors: no such file",
                "attend in --device all | --device: all, must be one device",
                "conformance --cases no/such/directory | no/such/directory: no such file or directory",
                "conformance --device cpu --json no/such/a.json | --json: no/such/a.json, must be",
                "conformance --device cpu --json a.x --html ./a.x | --html: ./a.x, must be another file than that of --json",
                "demo --picture a.png --page ../x/../a.png | --page: ../x/../a.png, must be in a directory",
                "demo --picture a.png --page ./a.png | --page: ./a.png, must be another file than that of --picture",
                "attend in -o a.x --json ./a.x | --json: ./a.x, must be another file than that of --output",
                "attend ./in -o in | --output: in, must be another file than that of the input",
                "attend --verfy in | option: \"--verfy\" is not known; did you mean \"--verify\"? (attention4j attend",
                "attend --msk x.safetensors | option: \"--msk\" is not known (",
                "attend --no-such-option | option: \"--no-such-option\" is not known",
                "attend a b c | argument: \"b c\" is one too many (attention4j attend --help)",
                "attnd | did you mean \"attend\"?",
                "conformance --seed x | \"x\" is not a whole number",
                "demo --picture no/such/a.png | --picture: no/such/a.png, must be",
                "demo --picture picture.jpeg | must end in .png",
                "devices --json no/such/a.json | --json: no/such/a.json, must be",
                "tune --shapes 1.8.8 | shape: \"1.8.8\", must be B.Hq.Hkv.Lq.Lk.D[.Dv]",
                "tune --dtype float64 | --dtype: \"float64\", must be one of [float32",
                "tune --device oracle | --device: oracle has one way to compute"
            })
    void badUsageIsOneLine(String args, String says) {
        assertThat(assertRefused(Cli.run((Object[]) args.split(" ", -1)), 1)).contains(says);
    }

    @ParameterizedTest
    @ValueSource(strings = {"demo", "conformance", "attend in"})
    void deviceThatIsNoneListsThoseThereAre(String command) {
        Cli cli = Cli.run((Object[]) (command + " --device no-such-device").split(" ", -1));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .startsWith("attention4j: --device: \"no-such-device\" names no engine")
                .contains("cpu", "oracle");
        assertThat(cli.err().lines()).noneMatch(line -> line.strip().startsWith("at "));
    }

    @Test
    void aMisspeltDeviceOrPlanIsGuessed() throws IOException {
        Path file = problem(Tensor.random(1, 1, 2, 3, 4), Tensor.random(2, 1, 2, 5, 4), Tensor.random(3, 1, 2, 5, 4));

        assertThat(Cli.run("attend", file, "--device", "orcale").err()).endsWith("Did you mean oracle?\n");
        assertThat(Cli.run("tune", "--device", "opencl:0", "--plan", "rwos", "--shapes", "1.1.1.1.8.8")
                        .err())
                .endsWith("; did you mean \"rows\"?\n");
        assertThat(Cli.run("conformance", "--device", "openl:0").err()).endsWith("Did you mean opencl:0?\n");
        assertThat(Cli.run("attend", file, "--device", "cpu", "--plan", "bloked")
                        .err())
                .startsWith("attention4j: --plan: \"bloked\", must be")
                .endsWith("; did you mean \"blocked\"?\n");
    }

    @Test
    void anOutputUnderAnotherNameOfTheSameFileIsRefused() throws IOException {
        Path real = Files.createDirectory(folder.resolve("real"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);

        Cli missing = Cli.run(
                "conformance", "--device", "cpu", "--json", real.resolve("a.x"), "--junit", link.resolve("a.x"));
        assertThat(assertRefused(missing, 1)).contains("--junit: ", "must be another file than that of --json");

        Path hard = Files.createLink(folder.resolve("hard"), Files.createFile(real.resolve("a.x")));
        Cli linked = Cli.run("conformance", "--device", "cpu", "--html", hard, "--junit", link.resolve("a.x"));
        assertThat(assertRefused(linked, 1)).contains("--html: ", "must be another file than that of --junit");
    }

    @Test
    void planThatIsNoneIsRefused() throws IOException {
        Path file = problem(Tensor.random(1, 1, 2, 3, 4), Tensor.random(2, 1, 2, 5, 4), Tensor.random(3, 1, 2, 5, 4));

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu", "--plan", "none"), 1))
                .contains("plan", "none");
        assertThat(assertRefused(Cli.run("conformance", "--device", "cpu", "--plan", "none"), 1))
                .contains("plan", "none");
    }

    /** A new file takes the place of the output, which a device must not lose. */
    @Test
    void outputThatIsADeviceIsRefused() throws IOException {
        Path file = problem(Tensor.random(1, 1, 2, 3, 4), Tensor.random(2, 1, 2, 5, 4), Tensor.random(3, 1, 2, 5, 4));

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu", "-o", "/dev/null"), 1))
                .contains("--output: /dev/null, must be a file that may be written");
    }

    @Test
    void emptyDirectoryHoldsNoCase() {
        assertThat(assertRefused(Cli.run("conformance", "--cases", folder, "--device", "cpu"), 1))
                .contains(folder.toString());
    }

    @Test
    void fileThatIsNoSafetensorsIsRefused() throws IOException {
        Path file = Files.writeString(folder.resolve("text.safetensors"), "This is a text, not a block of tensors.");

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu"), 1)).contains("text.safetensors");
    }

    @Test
    void fileWithoutValueIsRefused() throws IOException {
        Path file = folder.resolve("in.safetensors");
        Safetensors.write(
                file, Map.of("query", Tensor.random(1, 1, 1, 2, 4), "key", Tensor.random(1, 1, 1, 2, 4)), Map.of());

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu"), 1)).contains("value");
    }

    @Test
    void shapesThatDoNotFitAreNamed() throws IOException {
        Path file = problem(Tensor.random(1, 1, 2, 3, 4), Tensor.random(2, 1, 2, 5, 8), Tensor.random(3, 1, 2, 5, 8));

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu"), 1)).contains("key", "headDim 8", "4");
    }

    @Test
    void typesThatDoNotFitAreNamed() throws IOException {
        Path file = problem(
                Tensor.zeros(DType.INT32, 1, 1, 1, 4),
                Tensor.zeros(DType.INT32, 1, 1, 1, 4),
                Tensor.zeros(DType.INT32, 1, 1, 1, 4));

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu"), 1)).contains("query", "INT32");
    }

    @Test
    void outputOverTheInputIsRefused() throws IOException {
        Path file = problem(Tensor.random(1, 1, 1, 2, 4), Tensor.random(2, 1, 1, 2, 4), Tensor.random(3, 1, 1, 2, 4));
        byte[] before = Files.readAllBytes(file);

        assertThat(assertRefused(Cli.run("attend", file, "--device", "cpu", "-o", file), 1))
                .contains("--output");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
    }

    @Test
    void debugShowsWhereAnErrorCameFrom() {
        Cli cli = Cli.run("conformance", "--cases", "no/such/directory", "--debug");

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).startsWith("attention4j: no/such/directory").contains("\tat dev.attention4j.");
    }

    private Path problem(Tensor query, Tensor key, Tensor value) throws IOException {
        Path file = folder.resolve("in.safetensors");
        Safetensors.write(file, Map.of("query", query, "key", key, "value", value), Map.of());
        return file;
    }

    private static String assertRefused(Cli cli, int lines) {
        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).startsWith("attention4j: ");
        assertThat(cli.err().lines()).hasSize(lines);
        return cli.err();
    }
}
