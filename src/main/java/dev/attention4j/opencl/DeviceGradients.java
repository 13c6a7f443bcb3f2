package dev.attention4j.opencl;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionResult;
import dev.attention4j.EngineOptions;
import dev.attention4j.Engines;
import dev.attention4j.GradientOptions;
import dev.attention4j.Tensor;
import dev.attention4j.spi.GradientCall;
import java.util.LinkedHashMap;
import java.util.Map;

/** The gradients of calls on a device. */
final class DeviceGradients implements AutoCloseable {
    private final OpenClEngine engine;
    private final EngineOptions options;
    private AttentionEngine host;

    /** Works for one engine. */
    DeviceGradients(OpenClEngine engine, EngineOptions options) {
        this.engine = engine;
        this.options = options;
    }

    AttentionGradients compute(GradientCall call) {
        return onHost(call);
    }

    /** Computes in Java, from copies of what is on the device. */
    private AttentionGradients onHost(GradientCall call) {
        Attention attention = call.problem().attention();
        Attention there = attention.toBuilder()
                .mask(attention.mask().map(this::toHost).orElse(null))
                .bias(attention.bias().map(this::toHost).orElse(null))
                .build();
        GradientOptions wanted = call.options();
        if (wanted.logSumExpGradient().isPresent()) {
            wanted = wanted.withLogSumExpGradient(
                    toHost(wanted.logSumExpGradient().get()));
        }
        AttentionGradients gradients = host().gradients(
                        toHost(call.query()),
                        toHost(call.key()),
                        toHost(call.value()),
                        there,
                        new AttentionResult(toHost(call.output()), null, toHost(call.logSumExp()), "host"),
                        toHost(call.outputGradient()),
                        wanted);
        if (DeviceTensors.belongOnHost(call.query())) {
            return gradients;
        }
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        for (String name : wanted.parameters()) {
            parameters.put(name, engine.upload(gradients.parameter(name)));
        }
        return new AttentionGradients(
                engine.upload(gradients.query()),
                engine.upload(gradients.key()),
                engine.upload(gradients.value()),
                wanted.bias() ? engine.upload(gradients.bias()) : null,
                wanted.sinks() ? engine.upload(gradients.sinks()) : null,
                wanted.alibiSlopes() ? engine.upload(gradients.alibiSlopes()) : null,
                parameters,
                gradients.plan());
    }

    private Tensor toHost(Tensor tensor) {
        return tensor.isOnHost() ? tensor : engine.download(tensor);
    }

    private synchronized AttentionEngine host() {
        if (host == null) {
            host = Engines.open("cpu", EngineOptions.DEFAULT.withThreads(options.threads()));
        }
        return host;
    }

    @Override
    public synchronized void close() {
        if (host != null) {
            host.close();
        }
    }
}
