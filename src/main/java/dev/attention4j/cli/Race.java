package dev.attention4j.cli;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.Tensor;
import dev.attention4j.measure.Timing;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleSupplier;

/**
 * Times one problem on two engines by turns, so that whatever else the machine does slows both alike.
 *
 * @param longest the length to time; halved until a call takes no longer than {@code mostMillisecondsPerCall}
 */
record Race(EngineInfo first, EngineInfo second, int longest, int rounds, double mostMillisecondsPerCall) {
    private static final int HEADS = 8;
    private static final int HEAD_DIM = 64;
    private static final int SHORTEST = 256;

    /** Runs it and says in one line who is faster, and by how much. */
    String run() {
        try (Runner one = new Runner(first);
                Runner other = new Runner(second)) {
            one.load(SHORTEST);
            other.load(SHORTEST);
            // The first call builds kernels and lets the JIT begin; the second says what to expect.
            one.call();
            other.call();
            double slower = Math.max(one.call(), other.call());
            int length = longest;
            while (length > SHORTEST && slower * length / SHORTEST * length / SHORTEST > mostMillisecondsPerCall) {
                length /= 2;
            }
            one.load(length);
            other.load(length);
            try (Progress progress = Progress.start("timing", 2L * (rounds + 1))) {
                DoubleSupplier ofOne = () -> timed(one, progress);
                DoubleSupplier ofOther = () -> timed(other, progress);
                List<DoubleSupplier> turns = List.of(ofOne, ofOther);
                // A round to warm up.
                Timing.byTurns(turns, 1, round -> {});
                double[][] times = Timing.byTurns(turns, rounds, round -> {});
                return verdict(first, second, length, Timing.median(times[0]), Timing.median(times[1]));
            }
        }
    }

    private static double timed(Runner runner, Progress progress) {
        double milliseconds = runner.call();
        progress.step();
        return milliseconds;
    }

    /** The name of an engine in a sentence. */
    static String called(EngineInfo engine) {
        return switch (engine.kind()) {
            case CPU -> "plain Java on " + cores();
            case ORACLE -> "the oracle";
            default -> engine.name();
        };
    }

    private static String cores() {
        int cores = Runtime.getRuntime().availableProcessors();
        return cores + (cores == 1 ? " core" : " cores");
    }

    /** One line: what was timed, both times, and how the first compares. */
    static String verdict(EngineInfo first, EngineInfo second, int length, double firstMs, double secondMs) {
        String who =
                first.isOpenCl() ? "the device" : first.kind() == EngineInfo.Kind.CPU ? "plain Java" : "the oracle";
        String comparison = firstMs <= secondMs
                ? String.format(Locale.ROOT, "%.1fx faster", secondMs / firstMs)
                : String.format(Locale.ROOT, "%.1fx slower", firstMs / secondMs);
        return String.format(
                Locale.ROOT,
                "attention of 1 x %d heads x %d tokens x %d: %s %s, %s %s: %s is %s",
                HEADS,
                length,
                HEAD_DIM,
                called(first),
                Text.milliseconds(firstMs),
                called(second),
                Text.milliseconds(secondMs),
                who,
                comparison);
    }

    /** An open engine with tensors on its device. */
    private static final class Runner implements AutoCloseable {
        private final AttentionEngine engine;
        private Tensor query;
        private Tensor key;
        private Tensor value;

        Runner(EngineInfo info) {
            engine = Engines.open(info.id(), EngineOptions.DEFAULT);
        }

        void load(int length) {
            free();
            query = random(1, length);
            key = random(2, length);
            value = random(3, length);
        }

        /** One call; gives its milliseconds. */
        double call() {
            return Timing.once(
                    () -> engine.attend(query, key, value, Attention.DEFAULT).close());
        }

        private Tensor random(long seed, int length) {
            try (Tensor host = Tensor.random(seed, 1, HEADS, length, HEAD_DIM)) {
                return engine.upload(host);
            }
        }

        private void free() {
            if (query != null) {
                query.close();
                key.close();
                value.close();
            }
        }

        @Override
        public void close() {
            free();
            engine.close();
        }
    }
}
