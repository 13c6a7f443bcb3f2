package dev.attention4j.cpu;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.PlanChoice;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.HostEngine;
import dev.attention4j.spi.ScoreTerms;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Attention in plain Java float on all cores, fused: memory beyond the results does not grow with the lengths.
 *
 * <p>The number of threads changes no bit of a result. Half-precision inputs are widened as they are read; all sums are
 * float32.
 */
public final class CpuEngine extends HostEngine {
    /** The name of its only plan. */
    public static final String PLAN = "blocked";

    /** The entry in {@link dev.attention4j.Engines#list()}; an open engine's own may have another number of threads. */
    public static final EngineInfo INFO = info(EngineOptions.DEFAULT);

    /** Fewer lanes are faster one after another. */
    private static final int LEAST_VECTOR_LANES = 16;

    /** With fewer multiply-adds, waking another thread costs more than it saves. */
    private static final double LEAST_SHARED_MULTIPLY_ADDS = 100_000;

    private final WorkerPool pool;
    private final BlockTable.Kept tables = new BlockTable.Kept();

    /** Offers this engine, which is always there. */
    public static final class Provider implements EngineProvider {
        @Override
        public List<EngineInfo> engines() {
            return List.of(INFO);
        }

        @Override
        public AttentionEngine open(EngineInfo info, EngineOptions options) {
            return new CpuEngine(options);
        }
    }

    /**
     * Opens the engine and its threads.
     *
     * @param options the plan, and the number of threads, 0 for one per processor
     */
    public CpuEngine(EngineOptions options) {
        super(info(options), PLAN, options);
        pool = new WorkerPool(threads(options));
    }

    @Override
    public PlanChoice explain(AttentionProblem problem) {
        checkExplainable(problem);
        QueryBlock.Cut cut = new QueryBlock.Cut(problem);
        String description = cut.blocks() + " blocks of query rows on "
                + (isWorthSharing(problem) ? pool.threads() + " threads" : "the calling thread")
                + "; the only plan of the engine " + info().id();
        return new PlanChoice(PLAN, Map.of(), "", description);
    }

    @Override
    protected AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        Results results = new Results(problem);
        ScoreTerms terms = new ScoreTerms(problem, Exp::tanh);
        QueryBlock.Cut cut = new QueryBlock.Cut(problem);
        int blocks = cut.blocks();
        BlockTable table = BlockTable.of(problem, cut, tables);
        pool.run(blocks, isWorthSharing(problem), () -> {
            // Made at first need: nearly every call needs only one of them, and each has scratch memory.
            BlockKernel[] kernels = new BlockKernel[2];
            return task -> {
                // In reverse: under a causal mask the last rows of a head have the most work.
                int index = blocks - 1 - task;
                QueryBlock block = cut.block(index);
                int kind = block.count < LEAST_VECTOR_LANES ? 0 : 1;
                if (kernels[kind] == null) {
                    kernels[kind] = kind == 0
                            ? new RowKernel(problem, query, key, value, terms, table, results)
                            : new LaneKernel(problem, query, key, value, terms, table, results);
                }
                kernels[kind].run(block, index);
            };
        });
        return results.toResult(PLAN);
    }

    @Override
    protected AttentionGradients compute(GradientCall call) {
        return new CpuGradients(call, pool, isWorthSharing(call.problem())).compute(PLAN);
    }

    private static boolean isWorthSharing(AttentionProblem problem) {
        return (double) problem.batch()
                        * problem.queryHeads()
                        * problem.queryLength()
                        * problem.keyLength()
                        * (problem.headDim() + problem.valueDim())
                >= LEAST_SHARED_MULTIPLY_ADDS;
    }

    @Override
    public Projector projector() {
        return CpuProjector.get();
    }

    @Override
    protected void release() {
        tables.clear();
        pool.close();
    }

    private static EngineInfo info(EngineOptions options) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("threads", threads(options));
        facts.put("java version", System.getProperty("java.version"));
        return new EngineInfo("cpu", EngineInfo.Kind.CPU, processorName(), "attention4j", "plain Java", facts);
    }

    private static int threads(EngineOptions options) {
        return options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
    }

    /** The name that Linux gives; elsewhere the architecture, since Java knows no more. */
    private static String processorName() {
        String architecture = System.getProperty("os.arch");
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .filter(name -> !name.isEmpty())
                    .findFirst()
                    .orElse(architecture);
        } catch (IOException | RuntimeException e) {
            // A missing name is no reason to fail.
            return architecture;
        }
    }
}
