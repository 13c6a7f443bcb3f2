package dev.attention4j.bench;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.Timing;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import dev.attention4j.opencl.tuning.StorageName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/**
 * Times calls of one engine whose tensors stay on its device, by the host's clock and by the device's own, and never
 * begins what it cannot end in time.
 */
final class ResidentTiming {
    private static final int LEAST_ROUNDS = 7;
    private static final int MOST_ROUNDS = 30;
    private static final double TURN_MS = 5;
    /** The time for one case, the two calls of the warm-up included. */
    private static final double CASE_SECONDS = 12;
    /** The time for the rounds of a quick case. */
    private static final double ROUNDS_MS = 700;
    /** A sample of the rows: on a GPU a full check takes longer than the whole grid. */
    private static final double ORACLE_FLOPS = 3e8;

    private final AttentionEngine engine;
    private final long end;
    private final Map<String, Double> flopsPerMs = new HashMap<>();
    /** As the case before had it. */
    private double prepareMsPerElement;

    private Inputs inputs;
    private ExpectedResult truth;

    /**
     * For many cases.
     *
     * @param engine with the one plan that is to be timed, or auto
     * @param end {@link System#nanoTime()} after which nothing begins
     */
    ResidentTiming(AttentionEngine engine, long end) {
        this.engine = engine;
        this.end = end;
    }

    /** Returns whether there is time for anything more. */
    boolean isOver() {
        return secondsLeft() <= 0;
    }

    private double secondsLeft() {
        return (end - System.nanoTime()) / 1e9;
    }

    /** One case as an entry of the file: figures, or an {@code outcome} and a {@code reason} why there are none. */
    Map<String, Object> run(KitCase kitCase) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("dtype", StorageName.of(kitCase.dtype()));
        entry.put(
                "shape",
                kitCase.shape().isCached()
                        ? kitCase.shape().toString()
                        : kitCase.shape().sizes());
        entry.put("causal", kitCase.shape().isCausal());
        entry.put("engine", engine.info().id());
        try {
            measure(kitCase, entry);
        } catch (OutOfTime e) {
            missing(entry, "out_of_time", e);
        } catch (UnsupportedPlanException e) {
            missing(entry, "cannot", e);
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            missing(entry, "failed", e);
        }
        return entry;
    }

    private static void missing(Map<String, Object> entry, String outcome, Throwable e) {
        entry.put("outcome", outcome);
        entry.put("reason", RoundTiming.message(e));
    }

    private void measure(KitCase kitCase, Map<String, Object> entry) {
        double flops = kitCase.shape().problem(kitCase.dtype()).flops();
        String kind = kitCase.dtype() + (kitCase.shape().queryLength() == 1 ? " decode" : "");
        double budgetMs = 1e3 * Math.min(CASE_SECONDS, secondsLeft());
        double prepareMs = isPrepared(kitCase) ? 0 : prepareMsPerElement * elements(kitCase.shape());
        double callsMs = flopsPerMs.containsKey(kind) ? (LEAST_ROUNDS + 2) * flops / flopsPerMs.get(kind) : 0;
        checkTime(callsMs, budgetMs);
        checkTime(prepareMs + callsMs, 1e3 * secondsLeft());
        prepare(kitCase);
        Attention attention = inputs.problem().attention();
        boolean cached = kitCase.shape().isCached();
        Tensor ofKey = cached ? CachedStep.newTokens(inputs.key(), inputs) : inputs.key();
        Tensor ofValue = cached ? CachedStep.newTokens(inputs.value(), inputs) : inputs.value();
        try (Tensor query = engine.upload(inputs.query());
                Tensor key = engine.upload(ofKey);
                Tensor value = engine.upload(ofValue);
                CachedStep step = cached ? CachedStep.open(engine, inputs, query, key, value) : null) {
            Supplier<AttentionResult> call = cached ? step::run : () -> engine.attend(query, key, value, attention);
            long start = System.nanoTime();
            try (AttentionResult first = call.get()) {
                entry.put("plan", first.plan());
                entry.put("first_call_ms", Figures.rounded((System.nanoTime() - start) / 1e6));
                entry.put("max_error", Figures.rounded(truth.check(first.plan(), output(first))));
                entry.put("checked_against", truth.against());
            }
            Calls calls = new Calls(engine, call);
            double estimate = calls.timed(1);
            flopsPerMs.merge(kind, flops / estimate, Math::max);
            checkTime(LEAST_ROUNDS * estimate, Math.min(1e3 * CASE_SECONDS, 1e3 * secondsLeft()));
            int each = (int) Math.max(1, Math.ceil(TURN_MS / estimate));
            int rounds = (int) Math.max(LEAST_ROUNDS, Math.min(MOST_ROUNDS, ROUNDS_MS / (each * estimate)));
            double[] ms = new double[rounds];
            for (int round = 0; round < rounds; round++) {
                ms[round] = calls.timed(each);
            }
            double median = Timing.median(ms);
            OptionalDouble kernels = calls.kernelMs(Math.min(rounds, (int) Math.ceil(secondsLeft() * 1e3 / median)));
            try (AttentionResult last = call.get()) {
                // A race shows late.
                truth.check(last.plan(), output(last));
            }
            entry.put("rounds", rounds);
            entry.put("median_ms", Figures.rounded(median));
            entry.put("min_ms", Figures.rounded(Arrays.stream(ms).min().orElseThrow()));
            entry.put("max_ms", Figures.rounded(Arrays.stream(ms).max().orElseThrow()));
            entry.put("kernel_ms", kernels.isPresent() ? Figures.rounded(kernels.getAsDouble()) : null);
            entry.put("gflops", Figures.rounded(flops / kernels.orElse(median) / 1e6));
            if (kitCase.shape().queryLength() == 1) {
                // Each key and value is read once: what bounds it is the device's memory.
                double bytes = RoundTiming.keyValueBytes(kitCase.shape().problem(kitCase.dtype()));
                entry.put("read_gb_per_s", Figures.rounded(bytes / kernels.orElse(median) / 1e6));
            }
            entry.put("outcome", "timed");
        }
    }

    private static void checkTime(double neededMs, double leftMs) {
        if (neededMs > leftMs) {
            throw new OutOfTime(String.format(
                    "%d rounds would take %.1f s, there are %.1f s for them",
                    LEAST_ROUNDS, neededMs / 1e3, leftMs / 1e3));
        }
    }

    /** A case and its causal twin share their tensors: making them takes longer than timing them does. */
    private boolean isPrepared(KitCase kitCase) {
        AttentionShape shape = kitCase.shape();
        return inputs != null
                && inputs.problem().dtype() == kitCase.dtype()
                && inputs.shape().sizes().equals(shape.sizes())
                && inputs.shape().isMasked() == shape.isMasked()
                && (!shape.isCached() || shape.equals(inputs.shape()));
    }

    private static double elements(AttentionShape sizes) {
        return (double) sizes.batch()
                * (sizes.queryHeads() * (double) sizes.queryLength() + 2.0 * sizes.keyValueHeads() * sizes.keyLength())
                * sizes.headDim();
    }

    private void prepare(KitCase kitCase) {
        AttentionShape shape = kitCase.shape();
        long start = System.nanoTime();
        truth = null;
        if (isPrepared(kitCase)) {
            Tensor mask = inputs.problem().attention().mask().orElse(null);
            inputs = new Inputs(
                    shape,
                    shape.problem(kitCase.dtype(), shape.attention(mask)),
                    inputs.query(),
                    inputs.key(),
                    inputs.value());
            truth = ExpectedResult.of(inputs, ORACLE_FLOPS);
        } else {
            inputs = null;
            inputs = Inputs.of(shape, kitCase.dtype());
            truth = ExpectedResult.of(inputs, ORACLE_FLOPS);
            prepareMsPerElement = (System.nanoTime() - start) / 1e6 / elements(shape);
        }
    }

    private float[] output(AttentionResult result) {
        return engine.download(result.output()).toFloatArray();
    }

    private static final class OutOfTime extends RuntimeException {
        private static final long serialVersionUID = 1L;

        OutOfTime(String message) {
            super(message);
        }
    }

    private record Calls(AttentionEngine engine, Supplier<AttentionResult> attend) {
        /** Milliseconds of one of several calls, each waited for. */
        double timed(int calls) {
            long start = System.nanoTime();
            for (int call = 0; call < calls; call++) {
                attend.get().close();
            }
            return (System.nanoTime() - start) / 1e6 / calls;
        }

        /** The median of what the kernels of a call take by the device's clock; empty if the device has none. */
        OptionalDouble kernelMs(int rounds) {
            if (!(engine instanceof OpenClEngine device)) {
                return OptionalDouble.empty();
            }
            double[] ms = new double[Math.max(1, rounds)];
            for (int round = 0; round < ms.length; round++) {
                List<ClEvent> events = new ArrayList<>();
                device.profileInto(events);
                try {
                    attend.get().close();
                    for (ClEvent event : events) {
                        ms[round] += event.nanoseconds() / 1e6;
                    }
                } finally {
                    device.profileInto(null);
                    events.forEach(ClEvent::close);
                }
            }
            double median = Timing.median(ms);
            return median > 0 ? OptionalDouble.of(median) : OptionalDouble.empty();
        }
    }
}
