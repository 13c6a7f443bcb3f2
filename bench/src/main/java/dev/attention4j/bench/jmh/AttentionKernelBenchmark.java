package dev.attention4j.bench.jmh;

import dev.attention4j.DType;
import dev.attention4j.bench.Inputs;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.List;

/** A kernel that a call of attention launches by one plan. */
public abstract class AttentionKernelBenchmark extends KernelBenchmark {
    /** Long sequences, for kernels that share keys among many queries. */
    static final String LONG = "4.8.8.1024.1024.64";

    /** Tokens of several sequences, one each, as in decoding. */
    static final String DECODING = "8.8.8.1.4096.64";

    private final String plan;
    private AttendState state;

    AttentionKernelBenchmark(String kernel, String plan, String usualShape) {
        super(kernel, usualShape);
        this.plan = plan;
    }

    /** Makes the tensors of a shape: float32, and no result but the output. */
    Inputs inputs(AttentionShape given) {
        return Inputs.of(given, DType.FLOAT32);
    }

    @Override
    final void open(String given) {
        state = new AttendState(inputs(AttentionShape.parse(given)), engine, plan);
        if (!(state.engine() instanceof OpenClEngine)) {
            String found = state.engine().info().name();
            state.close();
            throw new IllegalArgumentException("engine: \"" + engine + "\" is " + found + ", must be an OpenCL device");
        }
    }

    @Override
    public final void close() {
        state.close();
    }

    @Override
    final void profileInto(List<ClEvent> events) {
        ((OpenClEngine) state.engine()).profileInto(events);
    }

    @Override
    final void launch() {
        state.attendDevice().close();
    }
}
