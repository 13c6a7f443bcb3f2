package dev.attention4j;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import dev.attention4j.testing.DocumentLinks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Keeps the packages to their jobs, and kernels, documents and continuous integration to each other. */
@AnalyzeClasses(packages = "dev.attention4j", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    /** Folders of kernels that are steps of one computation, and share classes and tests. */
    private static final Set<String> STEPS = Set.of("staged", "backward");

    private static final String[] TOOLS = {
        "dev.attention4j.cli..", "dev.attention4j.conformance..", "dev.attention4j.measure..", "dev.attention4j.tuner.."
    };

    @ArchTest
    static final ArchRule OPENCL_IS_CALLED_FROM_ONE_PACKAGE = noClasses()
            .that()
            .resideOutsideOfPackages("dev.attention4j.opencl.runtime", "dev.attention4j.opencl.machine")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.jocl..");

    /** It loads JOCL's native library, and makes no call by it. */
    @ArchTest
    static final ArchRule THE_MACHINE_MAKES_NO_CALL_TO_OPENCL = noClasses()
            .that()
            .resideInAPackage("dev.attention4j.opencl.machine")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("org.jocl.CL");

    @ArchTest
    static final ArchRule WHAT_A_CALLER_SEES_STANDS_ALONE = classes()
            .that()
            .resideInAPackage("dev.attention4j")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.attention4j", "dev.attention4j.expression", "java..", "org.slf4j..");

    @ArchTest
    static final ArchRule EXPRESSIONS_KNOW_NOTHING_ELSE = classes()
            .that()
            .resideInAPackage("dev.attention4j.expression")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.attention4j.expression", "java..");

    @ArchTest
    static final ArchRule THE_RUNTIME_KNOWS_NOTHING_OF_ATTENTION = noClasses()
            .that()
            .resideInAnyPackage("dev.attention4j.opencl.runtime", "dev.attention4j.opencl.machine")
            .should()
            .dependOnClassesThat()
            .haveNameMatching("dev\\.attention4j\\.(Attention|Tensor|Engine|DType).*");

    @ArchTest
    static final ArchRule ORACLE_CPU_AND_FILES_USE_THE_PUBLIC_TYPES_ONLY = classes()
            .that()
            .resideInAnyPackage("dev.attention4j.reference", "dev.attention4j.cpu", "dev.attention4j.io")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.attention4j",
                    "dev.attention4j.spi",
                    "dev.attention4j.reference",
                    "dev.attention4j.cpu",
                    "dev.attention4j.io",
                    "java..",
                    "com.sun.management..",
                    "org.slf4j..",
                    "com.fasterxml.jackson..",
                    "io.jhdf..");

    @ArchTest
    static final ArchRule LAYERS_KNOW_NO_DEVICE = classes()
            .that()
            .resideInAPackage("dev.attention4j.layers")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.attention4j", "dev.attention4j.spi", "dev.attention4j.layers", "dev.attention4j.io", "java..");

    @ArchTest
    static final ArchRule NO_ENGINE_LEANS_ON_LAYERS = noClasses()
            .that()
            .resideInAnyPackage(
                    "dev.attention4j.cpu..",
                    "dev.attention4j.opencl..",
                    "dev.attention4j.reference..",
                    "dev.attention4j.io..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.attention4j.layers");

    /** So that the library loads without jHDF, which is an optional dependency. */
    @ArchTest
    static final ArchRule HDF5_IS_READ_IN_ONE_PLACE = noClasses()
            .that()
            .haveNameNotMatching("dev\\.attention4j\\.io\\.Hdf5Reader(\\$Storage)?")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.jhdf..");

    @ArchTest
    static final ArchRule THE_ONNX_OPERATOR_USES_THE_PUBLIC_TYPES_ONLY = classes()
            .that()
            .resideInAPackage("dev.attention4j.onnx")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.attention4j", "dev.attention4j.spi", "dev.attention4j.onnx", "java..");

    @ArchTest
    static final ArchRule WHAT_ENGINES_SHARE_KNOWS_THE_PUBLIC_TYPES_ONLY = classes()
            .that()
            .resideInAPackage("dev.attention4j.spi")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.attention4j", "dev.attention4j.spi", "dev.attention4j.expression", "java..", "org.slf4j..");

    @ArchTest
    static final ArchRule ENGINES_DO_NOT_LEAN_ON_EACH_OTHER = noClasses()
            .that()
            .resideInAnyPackage("dev.attention4j.cpu..", "dev.attention4j.opencl..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.attention4j.reference..",
                    "dev.attention4j.io..",
                    "dev.attention4j.onnx..",
                    "dev.attention4j.conformance..");

    /** They are in two jars. */
    @ArchTest
    static final ArchRule THE_LIBRARY_NEEDS_NO_TOOL = noClasses()
            .that()
            .resideOutsideOfPackages(TOOLS)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(TOOLS);

    @ArchTest
    static final ArchRule NOTHING_LEANS_ON_THE_COMMAND_LINE = noClasses()
            .that()
            .resideOutsideOfPackage("dev.attention4j.cli")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.attention4j.cli", "picocli..", "me.tongfei..", "org.knowm..");

    @ArchTest
    static final ArchRule NO_PACKAGE_GOES_IN_CIRCLES =
            slices().matching("dev.attention4j.(**)").should().beFreeOfCycles();

    /**
     * One search by a kernel's name finds all that belongs to it. The steps of the staged plan share classes and tests, as do
     * those of gradients.
     */
    @Test
    void eachKernelHasAClassATestAndABenchmarkOfItsName() throws IOException {
        List<Path> kernels;
        try (Stream<Path> files = Files.walk(Path.of("opencl"))) {
            kernels = files.filter(file -> file.toString().endsWith(".cl")).toList();
        }
        assertThat(kernels).isNotEmpty();
        List<String> missing = new ArrayList<>();
        for (Path kernel : kernels) {
            String name = kernel.getFileName().toString().replace(".cl", "");
            String camel = camel(name);
            String folder = kernel.getParent().getFileName().toString();
            boolean shares = STEPS.contains(folder);
            Path main = Path.of("src/main/java/dev/attention4j/opencl", folder);
            Path tests = Path.of("src/test/java/dev/attention4j/opencl", folder);
            Path benchmarks = Path.of("bench/src/main/java/dev/attention4j/bench/jmh");
            for (Path file : List.of(
                    shares ? main : main.resolve(camel + ".java"),
                    shares ? tests : tests.resolve(camel + "Test.java"),
                    benchmarks.resolve(camel + "Benchmark.java"))) {
                if (!names(file, Files.isDirectory(file) ? name : camel)) {
                    missing.add(kernel + " needs " + file + ", which names it");
                }
            }
            try (Stream<Path> sources = Files.list(main)) {
                boolean launched = false;
                for (Path source : sources.toList()) {
                    launched |= Files.readString(source).contains("\"" + name + "\"")
                            || Files.readString(source).contains("/" + name + ".cl\"");
                }
                if (!launched) {
                    missing.add(kernel + " needs a class in " + main + " that launches it by its name");
                }
            }
        }
        assertThat(missing).isEmpty();
    }

    /** Returns whether a file, or one of a directory, has a word. */
    private static boolean names(Path place, String word) throws IOException {
        if (!Files.exists(place)) {
            return false;
        }
        try (Stream<Path> files = Files.walk(place)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (Files.readString(file).contains(word)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** {@code forward_rows} as {@code ForwardRows}. */
    private static String camel(String name) {
        return Pattern.compile("(?:^|_)([a-z])").matcher(name).replaceAll(letter -> letter.group(1)
                .toUpperCase(Locale.ROOT));
    }

    /** Continuous integration runs the very line that the README tells a newcomer to run. */
    @Test
    void theReadmesTestCommandIsTheOneThatIsRun() throws IOException {
        List<String> commands = Files.readAllLines(Path.of("README.md")).stream()
                .filter(line -> line.startsWith("apt-get"))
                .toList();
        assertThat(commands)
                .as("one line runs the main job, one passes the tests")
                .hasSize(2);
        assertThat(Files.readAllLines(Path.of(".ci/run"))).contains(commands.get(1));
    }

    /** Each relative link of a document leads to a file, and to a heading that the file has. */
    @Test
    void everyLinkOfADocumentLeadsSomewhere() throws IOException {
        assertThat(DocumentLinks.broken()).isEmpty();
    }

    @Test
    void theReadmeLinksToEveryDocument() throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        try (Stream<Path> files = Files.list(Path.of("docs"))) {
            assertThat(files.map(Path::toString)
                            .filter(file -> file.endsWith(".md"))
                            .map(file -> "](" + file.replace('\\', '/') + ")")
                            .toList())
                    .isNotEmpty()
                    .allMatch(readme::contains);
        }
    }
}
