package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Who takes part in each kind of shape that is asked for: attention, layers, projections. */
final class Field implements AutoCloseable {
    private final Heat<Inputs> attention;
    private final Heat<LayerInputs> layer;
    private final Heat<ProjectionInputs> gemm;

    private Field(Heat<Inputs> attention, Heat<LayerInputs> layer, Heat<ProjectionInputs> gemm) {
        this.attention = attention;
        this.layer = layer;
        this.gemm = gemm;
    }

    /** The contenders of one kind, and their contest. */
    private record Heat<W extends Workload>(List<Contender<W>> contenders, Contest<W> contest) {
        static <W extends Workload> Heat<W> open(boolean wanted, Supplier<List<Contender<W>>> open, Rules rules) {
            List<Contender<W>> contenders = wanted ? open.get() : List.of();
            return new Heat<>(contenders, new Contest<>(contenders, rules.rounds, rules.slowestMs, rules.device));
        }

        void close() {
            contenders.forEach(Contender::close);
        }
    }

    /** What all contests have in common, as {@link Contest} says it; the device may be null. */
    record Rules(int rounds, double slowestMs, ClDevice device) {}

    /** Opens the contenders of the kinds that there are. */
    static Field open(List<Shape> shapes, LineUp lineUp, Rules rules) {
        Heat<Inputs> attention = Heat.open(any(shapes, AttentionShape.class), lineUp::attention, rules);
        Heat<LayerInputs> layer = null;
        try {
            layer = Heat.open(any(shapes, LayerShape.class), lineUp::layer, rules);
            return new Field(attention, layer, Heat.open(any(shapes, ProjectionShape.class), lineUp::gemm, rules));
        } catch (RuntimeException e) {
            attention.close();
            if (layer != null) {
                layer.close();
            }
            throw e;
        }
    }

    private static boolean any(List<Shape> shapes, Class<? extends Shape> kind) {
        return shapes.stream().anyMatch(kind::isInstance);
    }

    /** How many compete on a shape. */
    int size(Shape shape) {
        return heat(shape).contenders.size();
    }

    private Heat<?> heat(Shape shape) {
        return shape instanceof LayerShape ? layer : shape instanceof ProjectionShape ? gemm : attention;
    }

    /** What each peer is built with, by name. */
    Map<String, String> peers() {
        Map<String, String> peers = new LinkedHashMap<>();
        Stream.of(attention, layer, gemm)
                .flatMap(heat -> heat.contenders.stream())
                .filter(contender -> !contender.builtWith().isEmpty())
                .forEach(contender -> peers.merge(
                        contender.name(),
                        contender.builtWith(),
                        (one, other) -> one.equals(other) ? one : one + " | " + other));
        return peers;
    }

    /** Runs all rounds of a shape. */
    List<Measurement> run(Shape shape, DType storage, Progress progress) {
        if (shape instanceof LayerShape layerShape) {
            return layer.contest.run(LayerInputs.of(layerShape, storage), progress);
        }
        return shape instanceof ProjectionShape gemmShape
                ? gemm.contest.run(ProjectionInputs.of(gemmShape, storage), progress)
                : attention.contest.run(Inputs.of((AttentionShape) shape, storage), progress);
    }

    @Override
    public void close() {
        attention.close();
        layer.close();
        gemm.close();
    }
}
