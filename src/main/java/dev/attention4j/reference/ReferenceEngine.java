package dev.attention4j.reference;

import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.EngineProvider;
import dev.attention4j.Projector;
import dev.attention4j.Tensor;
import dev.attention4j.cpu.CpuProjector;
import dev.attention4j.spi.GradientCall;
import dev.attention4j.spi.HostEngine;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The oracle as an engine: double precision by plain loops on one thread, rounded once at the end. */
public final class ReferenceEngine extends HostEngine {
    /** The name of its only plan. */
    public static final String PLAN = "loops";

    /** The entry in {@link dev.attention4j.Engines#list()}. */
    public static final EngineInfo INFO = new EngineInfo(
            "oracle",
            EngineInfo.Kind.ORACLE,
            "double-precision reference",
            "attention4j",
            "plain Java",
            Map.of("arithmetic", "float64, plain loops, one thread"));

    /** Offers the oracle, which is always there. */
    public static final class Provider implements EngineProvider {
        @Override
        public List<EngineInfo> engines() {
            return List.of(INFO);
        }

        @Override
        public AttentionEngine open(EngineInfo info, EngineOptions options) {
            return new ReferenceEngine(options);
        }
    }

    /**
     * Opens the oracle.
     *
     * @param options only the plan matters
     */
    public ReferenceEngine(EngineOptions options) {
        super(INFO, PLAN, options);
    }

    @Override
    protected AttentionResult compute(AttentionProblem problem, Tensor query, Tensor key, Tensor value) {
        ReferenceAttention result = ReferenceAttention.compute(problem, query, key, value);
        return new AttentionResult(
                rounded(result.output(), problem.dtype(), problem.outputShape()),
                problem.attention().wantsWeights()
                        ? rounded(result.weights(), DType.FLOAT32, problem.weightsShape())
                        : null,
                problem.attention().wantsLogSumExp()
                        ? rounded(result.logSumExp(), DType.FLOAT32, problem.logSumExpShape())
                        : null,
                PLAN);
    }

    @Override
    protected AttentionGradients compute(GradientCall call) {
        ReferenceGradients gradients = ReferenceGradients.compute(call);
        Map<String, float[]> parameters = new HashMap<>();
        gradients.parameters().forEach((name, numbers) -> parameters.put(name, floats(numbers)));
        return call.gradients(
                floats(gradients.query()),
                floats(gradients.key()),
                floats(gradients.value()),
                floats(gradients.bias()),
                floats(gradients.sinks()),
                floats(gradients.alibiSlopes()),
                parameters,
                PLAN);
    }

    private static float[] floats(double... numbers) {
        float[] floats = new float[numbers.length];
        for (int n = 0; n < floats.length; n++) {
            floats[n] = (float) numbers[n];
        }
        return floats;
    }

    /** Returns plain Java's, in float: the oracle is only for attention. */
    @Override
    public Projector projector() {
        return CpuProjector.get();
    }

    private static Tensor rounded(double[] elements, DType dtype, long... shape) {
        Tensor tensor = Tensor.zeros(DType.FLOAT64, shape);
        tensor.bytes().asDoubleBuffer().put(elements);
        return tensor.to(dtype);
    }
}
