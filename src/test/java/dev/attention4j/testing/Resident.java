package dev.attention4j.testing;

import dev.attention4j.Alignment;
import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionResult;
import dev.attention4j.Tensor;
import dev.attention4j.opencl.runtime.Handle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes many calls, or opens many engines, and prints how much of this process was resident in memory before and after.
 * The Java heap must be of one size and touched at the start, so that all that grows is native.
 */
public final class Resident {
    /** A tenth first, so that what is made once is there. */
    private static final int WARM_UP = 10;

    private final Tensor query = Tensor.random(1, 1, 4, 64, 64);
    private final Tensor key = Tensor.random(2, 1, 4, 256, 64);
    private final Attention attention = Attention.builder()
            .causal(Alignment.BOTTOM_RIGHT)
            .keyLengths(250)
            .logSumExp(true)
            .build();

    private Resident() {}

    /**
     * The program.
     *
     * @param arguments an engine's id, {@code calls} or {@code engines}, and how many
     */
    public static void main(String[] arguments) throws IOException {
        String id = arguments[0];
        int times = Integer.parseInt(arguments[2]);
        Resident resident = new Resident();
        long before;
        long start;
        if (arguments[1].equals("calls")) {
            try (AttentionEngine engine = AttentionEngine.open(id, TestEngines.options())) {
                resident.calls(engine, times / WARM_UP);
                before = kibibytes();
                start = System.nanoTime();
                resident.calls(engine, times);
            }
        } else {
            resident.engines(id, times / WARM_UP + 1);
            before = kibibytes();
            start = System.nanoTime();
            resident.engines(id, times);
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        System.out.printf(
                "%d %s in %.1f s, resident memory from %d to %d KiB, %d handles alive%n",
                times, arguments[1], seconds, before, kibibytes(), Handle.live());
    }

    private void engines(String id, int times) {
        for (int n = 0; n < times; n++) {
            try (AttentionEngine engine = AttentionEngine.open(id, TestEngines.options())) {
                call(engine);
            }
        }
    }

    /**
     * In turn with tensors on the host and on the device. All is closed: what is left to the garbage collector comes
     * back some time, and is no measure.
     */
    private void calls(AttentionEngine engine, int times) {
        for (int n = 0; n < times; n++) {
            if (n % 4 == 0) {
                try (Tensor queryThere = engine.upload(query);
                        Tensor keyThere = engine.upload(key);
                        AttentionResult result = engine.attend(queryThere, keyThere, keyThere, attention)) {
                    engine.download(result.output()).close();
                }
            } else if (n % 4 == 1) {
                engine.attendAsync(query, key, key, attention).join().close();
            } else {
                call(engine);
            }
        }
    }

    private void call(AttentionEngine engine) {
        engine.attend(query, key, key, attention).close();
    }

    private static long kibibytes() throws IOException {
        System.gc();
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }
}
