package dev.attention4j.bench.jmh;

import dev.attention4j.AttentionResult;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/**
 * The library call with the plan that the engine chooses and with each plan: from host tensors to a host tensor, and all on
 * the device.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class CallBenchmark {
    /** As {@code dev.attention4j.bench.Compare --shapes} takes it. */
    @Param({
        "1.12.12.128.128.32",
        "4.8.8.1024.1024.64",
        "4.8.8.1024.1024.64:causal",
        "1.8.8.2048.2048.128",
        "8.8.8.1.4096.64"
    })
    public String shape;

    /**
     * An engine as {@code --device} of the command line takes it, a slash, and one of its plans or {@code auto}. JMH shows a
     * plan that refuses a shape as failed, and goes on.
     */
    @Param({"best/auto", "cpu/auto", "best/rows", "best/decode", "best/tiles", "best/staged", "best/host", "cpu/blocked"
    })
    public String plan;

    private AttendState state;

    /** Opens the engine and checks what it computes. */
    @Setup(Level.Trial)
    public void open() {
        int slash = plan.lastIndexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException(
                    "plan: \"" + plan + "\", must be an engine, a slash and a plan, such as best/staged");
        }
        state = new AttendState(shape, plan.substring(0, slash), plan.substring(slash + 1));
    }

    /** Closes the engine. */
    @TearDown(Level.Trial)
    public void close() {
        state.close();
    }

    /** Host tensors in, host tensor out. */
    @Benchmark
    public void hostToHost(Blackhole blackhole) {
        try (AttentionResult result = state.attendHost()) {
            blackhole.consume(result);
        }
    }

    /** Tensors that lie on the device already, and a result that stays there; complete when the call returns. */
    @Benchmark
    public void deviceResident(Blackhole blackhole) {
        try (AttentionResult result = state.attendDevice()) {
            blackhole.consume(result);
        }
    }
}
