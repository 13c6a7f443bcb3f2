package dev.attention4j.bench.jmh;

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
 * One kernel by the device's own clock. The secondary result is microseconds in that kernel per call, all its launches
 * together; the primary result is the call with profiling. What is computed is checked first.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public abstract class KernelBenchmark {
    private static final String USUAL = "usual";

    /** An OpenCL device as {@code --device} of the command line takes it. */
    @Param("best")
    public String engine;

    /** As {@code dev.attention4j.bench.Compare --shapes} takes it; {@code usual} for one that the kernel is made for. */
    @Param(USUAL)
    public String shape;

    private final String kernel;
    private final String usualShape;

    KernelBenchmark(String kernel, String usualShape) {
        this.kernel = kernel;
        this.usualShape = usualShape;
    }

    /** Opens the engine and checks what it computes. */
    @Setup(Level.Trial)
    public void open() {
        open(shape.equals(USUAL) ? usualShape : shape);
    }

    abstract void open(String given);

    /** Closes the engine. */
    @TearDown(Level.Trial)
    public abstract void close();

    /** Collects an event for each launch from now on; null stops. */
    abstract void profileInto(List<ClEvent> events);

    /** Makes one call and waits for it. */
    abstract void launch();

    /** One call, the kernel of it timed. */
    @Benchmark
    public void call(KernelTime time) {
        List<ClEvent> events = new ArrayList<>();
        profileInto(events);
        try {
            launch();
            time.add(kernel, events);
        } finally {
            profileInto(null);
            events.forEach(ClEvent::close);
        }
    }

    /** Microseconds per call in the kernel. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.EVENTS)
    public static class KernelTime {
        private double microseconds;
        private long calls;

        /** Starts from nothing. */
        @Setup(Level.Iteration)
        public void clear() {
            microseconds = 0;
            calls = 0;
        }

        void add(String kernel, List<ClEvent> events) {
            boolean launched = false;
            for (ClEvent event : events) {
                event.await();
                if (event.command().equals(kernel)) {
                    microseconds += event.nanoseconds() / 1e3;
                    launched = true;
                }
            }
            if (!launched) {
                throw new IllegalStateException(
                        "kernel: " + kernel + " is not launched by this call, must be; it launches "
                                + events.stream().map(ClEvent::command).toList());
            }
            calls++;
        }

        /** {@return the result} */
        public double kernelUs() {
            return microseconds / Math.max(1, calls);
        }
    }
}
