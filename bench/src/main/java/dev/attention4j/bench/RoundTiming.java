package dev.attention4j.bench;

import dev.attention4j.AttentionProblem;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.cli.Progress;
import dev.attention4j.measure.Timing;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Times contenders on one shape. They take turns within each round (A B C, A B C, …), so that a machine that grows
 * slower or faster meanwhile does so for all alike.
 */
final class RoundTiming<W extends Workload> {
    /**
     * A turn is as many calls as take this long, at least one: a shorter time would be that of waking up after the
     * rest.
     */
    static final double TURN_MS = 30;

    private static final int LEAST_WARM_UP_CALLS = 2;

    /**
     * Calls shorter than this are at the mercy of the JVM's compiler, which is not done before some thousands of them:
     * they are warmed up for longer, or for that many calls.
     */
    private static final double SHORT_CALL_MS = 6;

    private static final int SHORT_CALL_WARM_UP_CALLS = 10_000;

    /** So much shorter is the warm-up of other calls. */
    private static final int SHORT_CALL_TIMES_LONGER = 6;

    /** Long enough for the threads of the contender before to stop spinning: OpenMP's do for 5 ms or more. */
    private static final long PAUSE_MS = 15;

    private final List<Contender<W>> contenders;
    private final Rules rules;

    /** The most useful operations per millisecond that a contender has shown, on any shape. */
    private final Map<Contender<W>, Double> bestRates = new HashMap<>();

    /**
     * The settings that all shapes share.
     *
     * @param warmUpMs how long calls shorter than {@value #SHORT_CALL_MS} ms are warmed up
     * @param slowestMs a contender whose call takes longer is not timed
     * @param device that takes its turn with nothing but multiply-adds or reads, see {@link DevicePeak}; null for none
     */
    record Rules(int rounds, double warmUpMs, double slowestMs, ClDevice device) {}

    /** A contest to run on many shapes. */
    RoundTiming(List<Contender<W>> contenders, Rules rules) {
        this.contenders = List.copyOf(contenders);
        this.rules = rules;
    }

    /** The steps of one shape: the oracle's, a warm-up for each contender and a step for each round. */
    static int steps(int contenders, int rounds) {
        return 1 + contenders + rounds;
    }

    /** Runs all rounds of a shape; no failure of a contender ends it. */
    List<Measurement> run(W inputs, Progress progress) {
        progress.say(inputs.shape() + " oracle");
        ExpectedResult truth = inputs.expected();
        progress.step();
        Map<Contender<W>, Measurement> measurements = new LinkedHashMap<>();
        Map<Contender<W>, Runner<W>> runners = new LinkedHashMap<>();
        Optional<DevicePeak> ceiling = ceiling(inputs);
        try {
            for (Contender<W> contender : contenders) {
                progress.say(inputs.shape() + " " + contender.name());
                Entry<W> entry = new Entry<>(contender, inputs, truth);
                warmUp(entry, measurements, runners);
                progress.step();
            }
            for (int round = 0; round < rules.rounds; round++) {
                progress.say(inputs.shape() + " round " + (round + 1));
                for (Runner<W> runner : List.copyOf(runners.values())) {
                    turn(runner, measurements, runners);
                }
                ceiling.ifPresent(limit -> {
                    pause();
                    limit.turn();
                });
                progress.step();
            }
            for (Runner<W> runner : List.copyOf(runners.values())) {
                finish(runner, ceiling, measurements);
            }
        } finally {
            ceiling.ifPresent(DevicePeak::close);
            closeAll(runners.values());
        }
        List<Measurement> ordered = new ArrayList<>();
        contenders.forEach(contender -> ordered.add(measurements.get(contender)));
        return ordered;
    }

    private Optional<DevicePeak> ceiling(W workload) {
        if (rules.device == null) {
            return Optional.empty();
        }
        // Only a decoding step, which uses each key and value once, is bound by how fast they are read.
        boolean decodes = workload instanceof Inputs inputs && inputs.problem().queryLength() == 1;
        return Optional.of(
                decodes
                        ? DevicePeak.ofReading(rules.device, keyValueBytes(((Inputs) workload).problem()))
                        : DevicePeak.ofMultiplyAdds(rules.device));
    }

    /** The bytes that every call must read at least. */
    static long keyValueBytes(AttentionProblem problem) {
        long rows = (long) problem.batch() * problem.keyValueHeads() * problem.keyLength();
        return Tensor.byteSize(problem.storage().key(), rows, problem.headDim())
                + Tensor.byteSize(problem.storage().value(), rows, problem.valueDim());
    }

    private void warmUp(
            Entry<W> entry, Map<Contender<W>, Measurement> measurements, Map<Contender<W>, Runner<W>> runners) {
        Optional<String> refusal = entry.contender.refusal(entry.inputs);
        if (refusal.isPresent()) {
            measurements.put(entry.contender, entry.without(Measurement.Outcome.CANNOT, refusal.get()));
            return;
        }
        double flops = entry.inputs.flops();
        double expectedMs = flops / bestRates.getOrDefault(entry.contender, Double.POSITIVE_INFINITY);
        if (expectedMs > 2 * rules.slowestMs) {
            // Not even tried: on a large shape one call of the slowest takes a minute. Twice, because something else
            // may have kept the machine busy when the rate was seen.
            String reason = String.format(
                    Locale.ROOT,
                    "at its best so far it would take %.1f s a call, --slowest is %.1f s",
                    expectedMs / 1e3,
                    rules.slowestMs / 1e3);
            measurements.put(entry.contender, entry.without(Measurement.Outcome.TOO_SLOW, reason));
            return;
        }
        try {
            Runner<W> runner = new Runner<>(entry);
            runners.put(entry.contender, runner);
            double callMs = runner.warmUp(rules);
            bestRates.merge(entry.contender, flops / callMs, Math::max);
            // Checked before it is left out for being slow, too: a wrong result must not pass for a slow one.
            runner.check();
            if (callMs > rules.slowestMs) {
                throw new TooSlow(String.format(
                        Locale.ROOT, "%.1f s a call, --slowest is %.1f s", callMs / 1e3, rules.slowestMs / 1e3));
            }
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            drop(entry, e, measurements, runners);
        }
    }

    private void turn(
            Runner<W> runner, Map<Contender<W>, Measurement> measurements, Map<Contender<W>, Runner<W>> runners) {
        pause();
        try {
            runner.turn();
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            drop(runner.entry, e, measurements, runners);
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    /** The last result is checked as the first was: a race shows late. */
    private void finish(Runner<W> runner, Optional<DevicePeak> ceiling, Map<Contender<W>, Measurement> measurements) {
        Entry<W> entry = runner.entry;
        try {
            runner.check();
            measurements.put(entry.contender, runner.measurement(ceiling));
            bestRates.merge(entry.contender, entry.inputs.flops() / runner.fastest, Math::max);
        } catch (RuntimeException e) {
            measurements.put(entry.contender, entry.without(Measurement.Outcome.FAILED, message(e)));
        }
    }

    private void drop(
            Entry<W> entry,
            Throwable e,
            Map<Contender<W>, Measurement> measurements,
            Map<Contender<W>, Runner<W>> runners) {
        Measurement.Outcome outcome = e instanceof TooSlow
                ? Measurement.Outcome.TOO_SLOW
                : e instanceof UnsupportedPlanException ? Measurement.Outcome.CANNOT : Measurement.Outcome.FAILED;
        measurements.put(entry.contender, entry.without(outcome, message(e)));
        Runner<W> runner = runners.remove(entry.contender);
        if (runner != null) {
            closeAll(List.of(runner));
        }
    }

    private static void closeAll(Collection<? extends Runner<?>> runners) {
        for (Runner<?> runner : runners) {
            try {
                runner.call.close();
            } catch (RuntimeException e) {
                // What could be measured is measured; a failed free must not take it away.
                System.err.println(runner.entry.contender.name() + " does not close: " + message(e));
            }
        }
    }

    /** One line. */
    static String message(Throwable e) {
        String message = e.getMessage() == null ? e.toString() : e.getMessage().strip();
        String line = message.lines().findFirst().orElse(e.toString());
        return e instanceof OutOfMemoryError ? "out of memory: " + line : line;
    }

    private static final class TooSlow extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooSlow(String message) {
            super(message);
        }
    }

    private record Entry<W extends Workload>(Contender<W> contender, W inputs, ExpectedResult truth) {
        Measurement without(Measurement.Outcome outcome, String reason) {
            return new Measurement(
                    inputs.shape(),
                    contender.name(),
                    contender.plan(),
                    contender.isPeer(),
                    false,
                    outcome,
                    reason,
                    Double.NaN,
                    Double.NaN,
                    Double.NaN,
                    Double.NaN,
                    Double.NaN,
                    Double.NaN,
                    Double.NaN,
                    truth.against());
        }
    }

    /** A prepared call and its times. */
    private static final class Runner<W extends Workload> {
        private final Entry<W> entry;
        private final Contender.Call call;
        private final List<Double> turns = new ArrayList<>();
        private double error;
        private double fastest = Double.POSITIVE_INFINITY;

        Runner(Entry<W> entry) {
            this.entry = entry;
            call = entry.contender.prepare(entry.inputs);
        }

        /** Gives the time of the fastest call. */
        double warmUp(Rules rules) {
            double total = 0;
            int calls = 0;
            double before = Double.POSITIVE_INFINITY;
            for (int n = 0;
                    n < LEAST_WARM_UP_CALLS || total < warmUpMs(rules, calls) || before > rules.slowestMs;
                    n++) {
                double[] times = times(n < LEAST_WARM_UP_CALLS ? 0 : TURN_MS);
                double last = times[times.length - 1];
                total += Arrays.stream(times).sum();
                calls += times.length;
                // The first call may compile kernels, and the JIT may take several: too slow is what grows no faster.
                if (n > 0 && last > rules.slowestMs && last > before / 1.5) {
                    break;
                }
                before = last;
            }
            return fastest;
        }

        private double warmUpMs(Rules rules, int calls) {
            boolean takesLonger = fastest < SHORT_CALL_MS && calls < SHORT_CALL_WARM_UP_CALLS;
            return takesLonger ? rules.warmUpMs : rules.warmUpMs / SHORT_CALL_TIMES_LONGER;
        }

        void turn() {
            turns.add(Arrays.stream(times(TURN_MS)).average().orElseThrow());
        }

        private double[] times(double leastMs) {
            double[] times = call.times(leastMs);
            fastest = Math.min(fastest, Arrays.stream(times).min().orElseThrow());
            return times;
        }

        void check() {
            error = Math.max(error, entry.truth.check(entry.contender.name(), call.output()));
        }

        Measurement measurement(Optional<DevicePeak> ceiling) {
            double[] sorted =
                    turns.stream().mapToDouble(Double::doubleValue).sorted().toArray();
            double median = Timing.median(sorted);
            return new Measurement(
                    entry.inputs.shape(),
                    entry.contender.name(),
                    call.plan().orElse(entry.contender.plan()),
                    entry.contender.isPeer(),
                    entry.contender.isOwnChoice(entry.inputs),
                    Measurement.Outcome.TIMED,
                    "",
                    median,
                    sorted[0],
                    sorted[sorted.length - 1],
                    entry.inputs.flops() / median / 1e6,
                    error,
                    ceiling.map(DevicePeak::readGbPerS).orElse(Double.NaN),
                    ceiling.map(DevicePeak::multiplyAddGflops).orElse(Double.NaN),
                    entry.truth.against());
        }
    }
}
