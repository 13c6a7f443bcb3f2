package dev.attention4j.bench;

import dev.attention4j.DType;
import dev.attention4j.cli.Progress;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** The contenders for each kind of shape that is asked for: attention, layers, projections. */
final class Contenders implements AutoCloseable {
    private final Kind<Inputs> attention;
    private final Kind<LayerInputs> layer;
    private final Kind<ProjectionInputs> gemm;

    private Contenders(Kind<Inputs> attention, Kind<LayerInputs> layer, Kind<ProjectionInputs> gemm) {
        this.attention = attention;
        this.layer = layer;
        this.gemm = gemm;
    }

    /** The contenders of one kind, and their contest. */
    private record Kind<W extends Workload>(List<Contender<W>> contenders, RoundTiming<W> timing) {
        static <W extends Workload> Kind<W> open(
                boolean wanted, Supplier<List<Contender<W>>> open, RoundTiming.Rules rules) {
            List<Contender<W>> contenders = wanted ? open.get() : List.of();
            return new Kind<>(contenders, new RoundTiming<>(contenders, rules));
        }

        void close() {
            contenders.forEach(Contender::close);
        }
    }

    /** Opens the contenders of the kinds that there are. */
    static Contenders open(List<Shape> shapes, ContenderOpener opener, RoundTiming.Rules rules) {
        Kind<Inputs> attention = Kind.open(any(shapes, AttentionShape.class), opener::attention, rules);
        Kind<LayerInputs> layer = null;
        try {
            layer = Kind.open(any(shapes, LayerShape.class), opener::layer, rules);
            return new Contenders(attention, layer, Kind.open(any(shapes, ProjectionShape.class), opener::gemm, rules));
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

    /** The number of contenders for a shape. */
    int size(Shape shape) {
        return kind(shape).contenders.size();
    }

    private Kind<?> kind(Shape shape) {
        return shape instanceof LayerShape ? layer : shape instanceof ProjectionShape ? gemm : attention;
    }

    /** The build of each peer, by name. */
    Map<String, String> peers() {
        Map<String, String> peers = new LinkedHashMap<>();
        Stream.of(attention, layer, gemm)
                .flatMap(kind -> kind.contenders.stream())
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
            return layer.timing.run(LayerInputs.of(layerShape, storage), progress);
        }
        return shape instanceof ProjectionShape gemmShape
                ? gemm.timing.run(ProjectionInputs.of(gemmShape, storage), progress)
                : attention.timing.run(Inputs.of((AttentionShape) shape, storage), progress);
    }

    @Override
    public void close() {
        attention.close();
        layer.close();
        gemm.close();
    }
}
