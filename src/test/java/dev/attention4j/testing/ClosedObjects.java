package dev.attention4j.testing;

import dev.attention4j.Attention;
import dev.attention4j.AttentionEngine;
import dev.attention4j.AttentionGradients;
import dev.attention4j.AttentionProblem;
import dev.attention4j.AttentionResult;
import dev.attention4j.AttentionTape;
import dev.attention4j.CacheShape;
import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.Engines;
import dev.attention4j.GradientOptions;
import dev.attention4j.KeyValueCache;
import dev.attention4j.PagedKeyValueCache;
import dev.attention4j.Projector;
import dev.attention4j.RotaryEmbedding;
import dev.attention4j.ScoreParameters;
import dev.attention4j.Tensor;
import dev.attention4j.TensorUpdates;
import dev.attention4j.layers.AttentionInputs;
import dev.attention4j.layers.GroupQueryAttention;
import dev.attention4j.layers.LayerGradients;
import dev.attention4j.layers.LayerResult;
import dev.attention4j.layers.LayerTape;
import dev.attention4j.layers.LayerWeights;
import dev.attention4j.layers.MultiHeadAttention;
import dev.attention4j.layers.Optimizer;
import dev.attention4j.onnx.OnnxAttention;
import dev.attention4j.onnx.OnnxAttentionInputs;
import dev.attention4j.onnx.OnnxAttentionResult;
import dev.attention4j.opencl.OpenClEngine;
import dev.attention4j.opencl.plan.Variant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/** Closes one of each of the library's objects and calls all that is public of them. */
public final class ClosedObjects {
    private final AttentionEngine engine;
    private final Tensor host = Tensor.random(1, 1, 2, 16, 16);
    private final Tensor sequence = Tensor.random(2, 1, 5, 12);
    private final AttentionProblem problem = AttentionProblem.of(host, host, host, Attention.DEFAULT);
    private final AttentionInputs inputs = AttentionInputs.builder()
            .query(sequence)
            .value(sequence)
            .key(sequence)
            .scores(true)
            .build();
    private final PublicMethods methods = new PublicMethods()
            .with(Attention.class, () -> Attention.DEFAULT)
            .with(AttentionProblem.class, () -> problem)
            .with(AttentionInputs.class, () -> inputs)
            .with(DType.class, () -> DType.FLOAT16)
            .with(RotaryEmbedding.class, () -> RotaryEmbedding.builder(16, 16).build())
            .with(Function.class, Function::identity)
            .with(Supplier.class, () -> () -> null)
            .with(Object.class, Object::new)
            .with(int[].class, () -> new int[] {0, 1, 3, 2})
            .with(long[].class, () -> new long[] {0, 0, 0, 0})
            .with(float[].class, () -> new float[1])
            .with(long.class, () -> 0L)
            .with(int.class, () -> 0);

    private ClosedObjects(AttentionEngine engine) {
        this.engine = engine;
    }

    /**
     * The program.
     *
     * @param arguments an engine's id, and whether its engine is closed, or only what it made
     */
    public static void main(String[] arguments) {
        EngineInfo info = Engines.resolve(arguments[0]);
        try (AttentionEngine engine = TestEngines.open(info)) {
            new ClosedObjects(engine).run(arguments[1].equals("engine"));
        }
    }

    private void run(boolean closesEngine) {
        Tensor there = engine.upload(host);
        Attention everything = Attention.builder().weights(true).logSumExp(true).build();
        AttentionResult onDevice = engine.attend(there, there, there, everything);
        AttentionResult onHost = engine.attend(host, host, host, everything);
        Attention withGradients = Attention.builder()
                .bias(Tensor.random(5, 16))
                .sinks(0, 1)
                .alibiSlopes(0, 1)
                .score("score * gain", ScoreParameters.NONE.with("gain", 0.5))
                .build();
        GradientOptions allGradients =
                GradientOptions.DEFAULT.withBias().withSinks().withAlibiSlopes().withParameter("gain");
        AttentionTape tape = engine.attendForGradients(there, there, there, withGradients);
        AttentionGradients gradients = tape.gradients(there, allGradients);
        MultiHeadAttention layer =
                MultiHeadAttention.builder().heads(2).keyDim(8).build(engine);
        LayerResult ofLayer = layer.call(inputs);
        GroupQueryAttention groups = GroupQueryAttention.builder()
                .headDim(8)
                .queryHeads(2)
                .keyValueHeads(1)
                .build(engine);
        groups.call(inputs).close();
        LayerTape layerTape = layer.callForGradients(inputs);
        LayerGradients layerGradients = layerTape.gradients(sequence);
        Optimizer optimizer = Optimizer.adam(0.1).build(engine);
        optimizer.step(Map.of("weight", there), Map.of("weight", there));
        KeyValueCache cache = KeyValueCache.open(engine, CacheShape.of(1, 2, 20, 16));
        cache.append(host, host);
        PagedKeyValueCache pages = PagedKeyValueCache.open(engine, CacheShape.of(1, 2, 20, 16), 16);
        int sequenceOfPages = pages.newSequence();
        pages.append(new int[] {sequenceOfPages}, host, host);
        LayerWeights weights = layer.weights();
        LayerWeights groupWeights = groups.weights();
        OnnxAttentionResult ofOnnx =
                OnnxAttention.builder().build().run(engine, OnnxAttentionInputs.of(there, there, there));
        Projector projector = engine instanceof OpenClEngine ? engine.projector() : null;
        Projector.Projection prepared =
                projector == null ? null : projector.prepare(Tensor.random(3, 12, 2, 8), Tensor.random(4, 2, 8));
        Variant variant =
                engine instanceof OpenClEngine openCl ? openCl.variants(problem).get(0) : null;
        Variant projection = engine instanceof OpenClEngine openCl
                ? openCl.projectionVariants().get(0)
                : null;
        if (closesEngine) {
            engine.close();
        } else {
            onDevice.close();
            onHost.close();
            tape.close();
            gradients.close();
            ofLayer.close();
            layerTape.close();
            layerGradients.close();
            optimizer.close();
            ofOnnx.close();
            layer.close();
            groups.close();
            there.close();
            cache.close();
            pages.close();
            if (prepared != null) {
                prepared.close();
            }
        }
        methods.with(Tensor.class, () -> closesEngine ? host : there).with(List.class, ArrayList::new);
        methods.with(AttentionResult.class, () -> onDevice)
                .with(GradientOptions.class, () -> GradientOptions.DEFAULT)
                .with(String.class, () -> "gain");
        if (closesEngine) {
            methods.with(Variant.class, () -> variant);
            methods.call("engine", engine);
            if (engine instanceof OpenClEngine openCl) {
                new PublicMethods().with(Variant.class, () -> projection).call("projected", new Projecting(openCl));
            }
        }
        methods.call("tensor", there);
        methods.call("memory", there.memory());
        methods.call("result", onDevice);
        methods.call("result output", onDevice.output());
        methods.call("result memory", onDevice.output().memory());
        methods.call("tape", tape);
        methods.call("gradients", gradients);
        methods.call("gradient", gradients.query());
        methods.call("host result output", onHost.output());
        methods.call("host result memory", onHost.output().memory());
        methods.call("onnx result", ofOnnx);
        methods.with(Tensor.class, () -> host).call("cache", cache);
        methods.with(int[].class, () -> new int[] {sequenceOfPages}).call("pages", pages);
        methods.with(int[].class, () -> new int[] {0, 1, 3, 2});
        methods.with(Tensor.class, () -> sequence).with(LayerWeights.class, () -> weights);
        methods.with(long.class, () -> 12L);
        methods.with(Optimizer.class, () -> optimizer).with(LayerGradients.class, () -> layerGradients);
        methods.call("layer", layer);
        methods.with(LayerWeights.class, () -> groupWeights).call("groups", groups);
        methods.call("layer result", ofLayer);
        methods.call("layer tape", layerTape);
        methods.call("layer gradients", layerGradients);
        methods.with(Map.class, Map::of).with(Collection.class, List::of).with(double.class, () -> 1.0);
        methods.call("optimizer", optimizer);
        if (projector != null) {
            methods.with(List.class, () -> List.of(prepared)).with(Projector.Projection.class, () -> prepared);
            methods.call("projection", prepared);
            if (closesEngine) {
                methods.call("updates", new Updating(engine, there));
            }
            methods.with(Tensor.class, () -> sequence).call("splitter", new Splitting(projector, prepared));
        }
    }

    /** The engine's method that wants another variant than the others. */
    public static final class Projecting {
        private final OpenClEngine closed;

        private Projecting(OpenClEngine closed) {
            this.closed = closed;
        }

        /** Its own. */
        public Projector projector(Variant variant) {
            return closed.projector(variant);
        }
    }

    /** The projector's methods with tensors that fit. */
    public static final class Splitting {
        private final Projector closed;
        private final Projector.Projection projection;

        private Splitting(Projector closed, Projector.Projection projection) {
            this.closed = closed;
            this.projection = projection;
        }

        /** Its own. */
        public List<Tensor> toHeads(Tensor input) {
            return closed.toHeads(input, List.of(projection));
        }

        /** Its own. */
        public Tensor fromHeads(Tensor input) {
            return closed.fromHeads(input.reshape(1, 1, 5, 12), null, projection);
        }
    }

    /** What a closed engine's updates and gradients of weights are given. */
    public static final class Updating {
        private final AttentionEngine closed;
        private final Tensor tensor;

        private Updating(AttentionEngine closed, Tensor tensor) {
            this.closed = closed;
            this.tensor = tensor;
        }

        /** Those of the engine's updates. */
        public void add() {
            closed.updates().update(TensorUpdates.Update.ADD, tensor, tensor, null, null);
        }

        /** Likewise. */
        public double sumOfSquares() {
            return closed.updates().sumOfSquares(tensor);
        }

        /** Those of the engine's projector. */
        public List<Tensor> weightGradients() {
            return closed.projector().weightGradients(tensor, null, List.of(tensor));
        }
    }
}
