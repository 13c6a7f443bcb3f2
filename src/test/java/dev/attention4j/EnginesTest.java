package dev.attention4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.attention4j.testing.TestEngines;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EnginesTest {
    private static EngineInfo info(String id, EngineInfo.Kind kind, String name) {
        return new EngineInfo(id, kind, name, "vendor", "1", Map.of());
    }

    private static final EngineInfo POCL = info("opencl:0", EngineInfo.Kind.OPENCL_CPU, "pthread Xeon");
    private static final EngineInfo GPU = info("opencl:1", EngineInfo.Kind.GPU, "NVIDIA H200");
    private static final EngineInfo PIPE = info("opencl:2", EngineInfo.Kind.EMULATOR, "llvmpipe Xeon");
    private static final EngineInfo CPU = info("cpu", EngineInfo.Kind.CPU, "plain Java");
    private static final EngineInfo ORACLE = info("oracle", EngineInfo.Kind.ORACLE, "reference");

    @Test
    void theBestIsAGpuThenOpenClThenTheCpuAndNeverAnEmulator() {
        assertThat(Engines.resolve("best", List.of(POCL, GPU, PIPE, CPU, ORACLE)))
                .isEqualTo(GPU);
        assertThat(Engines.resolve("best", List.of(PIPE, POCL, CPU, ORACLE))).isEqualTo(POCL);
        assertThat(Engines.resolve("best", List.of(PIPE, CPU, ORACLE))).isEqualTo(CPU);
    }

    @Test
    void anEngineIsNamedByIdIndexOrPartOfItsName() {
        List<EngineInfo> engines = List.of(POCL, GPU, PIPE, CPU, ORACLE);
        assertThat(Engines.resolve("CPU", engines)).isEqualTo(CPU);
        assertThat(Engines.resolve("opencl:2", engines)).isEqualTo(PIPE);
        assertThat(Engines.resolve("1", engines)).isEqualTo(GPU);
        assertThat(Engines.resolve("h200", engines)).isEqualTo(GPU);
        assertThat(Engines.resolve("200", engines)).isEqualTo(GPU);
    }

    @Test
    void whatNamesNoneOrTwoIsRefusedWithTheList() {
        List<EngineInfo> engines = List.of(POCL, GPU, PIPE, CPU, ORACLE);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Engines.resolve("9", engines))
                .withMessageContaining("names no engine")
                .withMessageContaining("NVIDIA H200");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Engines.resolve("Xeon", engines))
                .withMessageContaining("names 2 engines");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Engines.resolve("Radeon", engines))
                .withMessageContaining("names no engine");
        assertThatIllegalArgumentException().isThrownBy(() -> Engines.resolve("", engines));
    }

    @Test
    void theEnginesOfThisMachineCanAllBeOpenedById() {
        assertThat(TestEngines.openCl()).isNotEmpty();
        assertThat(Engines.list())
                .extracting(EngineInfo::id)
                .contains("cpu", "oracle")
                .doesNotHaveDuplicates();
        for (EngineInfo info : Engines.list()) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                assertThat(engine.info()).isEqualTo(info);
                assertThat(engine.plans()).isNotEmpty();
                AttentionProblem problem = new AttentionProblem(1, 1, 1, 4, 4, 8, 8, DType.FLOAT32, Attention.DEFAULT);
                PlanChoice choice = engine.explain(problem);
                assertThat(choice.toString()).doesNotContain("\n").startsWith(choice.plan());
                assertThat(engine.plans()).contains(choice.plan());
            }
        }
    }

    /** Wherever its tensors are: tiny problems on the host may take a way that those on the device cannot. */
    @Test
    void whatIsExplainedIsWhatACallDoes() {
        List<EngineInfo> engines = new ArrayList<>(TestEngines.quickOpenCl());
        engines.add(Engines.resolve("cpu"));
        for (EngineInfo info : engines) {
            try (AttentionEngine engine = TestEngines.open(info)) {
                for (int length : new int[] {1, 4, 40}) {
                    Tensor host = Tensor.random(1, 1, 2, length, 8);
                    try (Tensor there = engine.upload(host)) {
                        for (Tensor query : List.of(host, there)) {
                            for (Tensor key : List.of(host, there)) {
                                String explained = engine.explain(query, key, host, Attention.DEFAULT)
                                        .plan();
                                try (AttentionResult result = engine.attend(query, key, host)) {
                                    assertThat(result.plan()).isEqualTo(explained);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /** As jars are merged into one without care. */
    @Test
    void lostServicesAreNamedWithTheCure() throws Exception {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
                .split(File.pathSeparator, -1)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        try (URLClassLoader loader =
                new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader()) {
                    @Override
                    public Enumeration<URL> findResources(String name) throws IOException {
                        return name.endsWith(EngineProvider.class.getName())
                                ? Collections.emptyEnumeration()
                                : super.findResources(name);
                    }
                }) {
            Method open = loader.loadClass(AttentionEngine.class.getName()).getMethod("open");
            assertThatThrownBy(() -> open.invoke(null))
                    .cause()
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("META-INF/services/dev.attention4j.EngineProvider")
                    .hasMessageContaining("ServicesResourceTransformer");
        }
    }
}
