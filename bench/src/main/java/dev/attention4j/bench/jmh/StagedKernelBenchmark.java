package dev.attention4j.bench.jmh;

import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
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

/**
 * Each kernel of the staged plan, by the device's own clock: the secondary results are microseconds in that kernel per
 * call, all its launches together; the primary result is the call with profiling.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class StagedKernelBenchmark {
    /** As {@code dev.attention4j.bench.Compare --shapes} takes it. */
    @Param({"4.8.8.1024.1024.64", "4.8.8.1024.1024.64:causal", "1.8.8.2048.2048.128"})
    public String shape;

    /** An OpenCL device as {@code --device} of the command line takes it. */
    @Param("best")
    public String engine;

    private AttendState state;

    /** Opens the engine and checks what it computes. */
    @Setup(Level.Trial)
    public void open() {
        state = new AttendState(shape, engine, "staged");
        if (!(state.engine() instanceof OpenClEngine)) {
            String found = state.engine().info().name();
            state.close();
            throw new IllegalArgumentException("engine: \"" + engine + "\" is " + found + ", must be an OpenCL device");
        }
    }

    /** Closes the engine. */
    @TearDown(Level.Trial)
    public void close() {
        state.close();
    }

    /** One call, each kernel of it timed. */
    @Benchmark
    public void call(KernelTimes times) {
        OpenClEngine device = (OpenClEngine) state.engine();
        List<ClEvent> events = new ArrayList<>();
        device.profileInto(events);
        try {
            state.attendDevice().close();
            times.add(events);
        } finally {
            device.profileInto(null);
            events.forEach(ClEvent::close);
        }
    }

    /** Microseconds per call in each kernel. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.EVENTS)
    public static class KernelTimes {
        private double scores;
        private double scaleMask;
        private double softmax;
        private double weightedSum;
        private long calls;

        /** Starts from nothing. */
        @Setup(Level.Iteration)
        public void clear() {
            scores = 0;
            scaleMask = 0;
            softmax = 0;
            weightedSum = 0;
            calls = 0;
        }

        void add(List<ClEvent> events) {
            calls++;
            for (ClEvent event : events) {
                event.await();
                double microseconds = event.nanoseconds() / 1e3;
                switch (event.command()) {
                    case "scores" -> scores += microseconds;
                    case "scale_mask" -> scaleMask += microseconds;
                    case "softmax" -> softmax += microseconds;
                    case "weighted_sum" -> weightedSum += microseconds;
                    default ->
                        throw new IllegalStateException(
                                "kernel: " + event.command() + ", is none of the staged plan's");
                }
            }
        }

        /** {@code staged/scores.cl}. */
        public double scoresUs() {
            return scores / Math.max(1, calls);
        }

        /** {@code staged/scale_mask.cl}. */
        public double scaleMaskUs() {
            return scaleMask / Math.max(1, calls);
        }

        /** {@code staged/softmax.cl}. */
        public double softmaxUs() {
            return softmax / Math.max(1, calls);
        }

        /** {@code staged/weighted_sum.cl}. */
        public double weightedSumUs() {
            return weightedSum / Math.max(1, calls);
        }
    }
}
