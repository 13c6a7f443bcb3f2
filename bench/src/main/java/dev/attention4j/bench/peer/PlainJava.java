package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Workload;
import dev.attention4j.measure.AttentionShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Code that people write by hand in Java: float arrays and loops, cut into tasks for a pool of threads. */
abstract class PlainJava<W extends Workload> implements Contender<W> {
    private final ExecutorService threads;

    PlainJava(int threads) {
        this.threads = Executors.newFixedThreadPool(threads, task -> {
            Thread thread = new Thread(task, "plain-java");
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public final String name() {
        return "plain-java";
    }

    @Override
    public final String plan() {
        return "loops";
    }

    @Override
    public final boolean isPeer() {
        return true;
    }

    @Override
    public final Optional<String> refusal(W inputs) {
        if (inputs.dtype() != DType.FLOAT32) {
            return Optional.of("float arrays hold float32, not " + inputs.dtype());
        }
        Optional<String> gradients = Peers.gradientsRefusal(name(), inputs);
        return gradients.isEmpty()
                        && inputs.shape() instanceof AttentionShape shape
                        && shape.option().isExpression()
                ? Optional.of("plain loops are compared without expressions")
                : gradients;
    }

    @Override
    public final void close() {
        threads.shutdown();
    }

    /** Calls with arrays of their own. */
    abstract class LoopsCall implements Call {
        private float[] output;

        /** The number of elements of the result. */
        abstract int elements();

        /** The tasks that fill a result, all independent. */
        abstract List<Runnable> tasks(float[] result);

        @Override
        public final void run() {
            float[] result = new float[elements()];
            List<Future<?>> running = new ArrayList<>();
            tasks(result).forEach(task -> running.add(threads.submit(task)));
            for (Future<?> task : running) {
                try {
                    task.get();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("interrupted", e);
                } catch (ExecutionException e) {
                    throw new IllegalStateException(e.getCause());
                }
            }
            output = result;
        }

        @Override
        public final float[] output() {
            return output;
        }

        @Override
        public final void close() {
            output = null;
        }
    }
}
