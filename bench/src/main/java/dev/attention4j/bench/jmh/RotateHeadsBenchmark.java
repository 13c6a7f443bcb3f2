package dev.attention4j.bench.jmh;

import dev.attention4j.AttentionEngine;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.Tensor;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.runtime.ClEvent;
import java.util.Arrays;
import java.util.List;

/** {@code cache/rotate_heads.cl}, which turns the shape's queries by the angles of their positions. */
public class RotateHeadsBenchmark extends KernelBenchmark {
    private OpenClEngine openCl;
    private Tensor query;
    private RotaryEmbedding rotary;
    private int[] positions;

    /** Names the kernel and the usual shape: a token for each of several sequences. */
    public RotateHeadsBenchmark() {
        super("rotate_heads", AttentionKernelBenchmark.DECODING);
    }

    @Override
    void open(String given) {
        AttentionShape sizes = AttentionShape.parse(given);
        AttentionEngine opened = AttentionEngine.open(engine);
        if (!(opened instanceof OpenClEngine device)) {
            opened.close();
            throw new IllegalArgumentException("engine: \"" + engine + "\", must be an OpenCL device");
        }
        openCl = device;
        int tokens = sizes.queryLength();
        RotaryEmbedding onHost = RotaryEmbedding.builder(sizes.headDim() / 2 * 2, Math.max(tokens, sizes.keyLength()))
                .build();
        Tensor heads = Tensor.random(1, sizes.batch(), sizes.queryHeads(), tokens, sizes.headDim());
        positions = new int[sizes.batch()];
        Arrays.fill(positions, onHost.positions() - tokens);
        query = openCl.upload(heads);
        rotary = RotaryEmbedding.of(openCl.upload(onHost.cosines()), openCl.upload(onHost.sines()), false);
        try (AttentionEngine cpu = AttentionEngine.open("cpu");
                Tensor turned = openCl.rotate(query, rotary, positions)) {
            if (!Arrays.equals(
                    turned.toFloatArray(), cpu.rotate(heads, onHost, positions).toFloatArray())) {
                throw new IllegalStateException("the turned heads are not those turned in Java");
            }
        }
    }

    @Override
    public void close() {
        openCl.close();
    }

    @Override
    void profileInto(List<ClEvent> events) {
        openCl.profileInto(events);
    }

    @Override
    void launch() {
        openCl.rotate(query, rotary, positions).close();
    }
}
