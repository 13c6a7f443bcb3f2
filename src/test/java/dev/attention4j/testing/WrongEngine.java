package dev.attention4j.testing;

import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuProjector;
import dev.attention4j.reference.ReferenceEngine;
import dev.attention4j.spi.HostEngine;
import java.util.Map;
import java.util.function.BiFunction;

/** The oracle with changed results. */
public final class WrongEngine extends HostEngine {
    public static final EngineInfo INFO =
            new EngineInfo("wrong", EngineInfo.Kind.CPU, "an engine that errs", "tests", "none", Map.of());
    public static final String PLAN = "wrongly";

    private final BiFunction<AttentionProblem, AttentionResult, AttentionResult> tamper;

    public WrongEngine(EngineOptions options, BiFunction<AttentionProblem, AttentionResult, AttentionResult> tamper) {
        super(INFO, PLAN, options);
        this.tamper = tamper;
    }

    public WrongEngine(BiFunction<AttentionProblem, AttentionResult, AttentionResult> tamper) {
        this(EngineOptions.DEFAULT, tamper);
    }

    @Override
    public Projector projector() {
        return CpuProjector.get();
    }

    @Override
    protected AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        try (ReferenceEngine oracle = new ReferenceEngine(EngineOptions.DEFAULT)) {
            AttentionResult right = oracle.attend(query, key, value, problem.attention());
            Tensor weights = problem.attention().wantsWeights() ? right.weights() : null;
            Tensor logSumExp = problem.attention().wantsLogSumExp() ? right.logSumExp() : null;
            return tamper.apply(problem, new AttentionResult(right.output(), weights, logSumExp, PLAN));
        }
    }
}
