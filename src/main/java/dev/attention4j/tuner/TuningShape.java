package dev.attention4j.tuner;

import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What to tune for: an attention or a projection. Its text is as it is written in a list. */
public sealed interface TuningShape permits AttentionShape, ProjectionShape {
    /** The classes of attention that are met most, each by a shape that a CPU computes in a tenth of a second. */
    String USUAL_ATTENTION = "1.8.8.1024.1024.64,1.8.8.1024.1024.64:causal,1.8.8.1024.1024.128,"
            + "1.8.8.1024.1024.128:causal,1.12.12.128.128.32,4.12.12.256.256.64,2.16.16.256.256.128,8.8.8.1.2048.64,"
            + "1.32.8.1.2048.128";

    /** The same and a projection. */
    String USUAL = USUAL_ATTENTION + ",gemm:2048.512.512";

    /**
     * Reads a comma-separated list.
     *
     * @param list shapes
     * @return each once, in the order of the list
     * @throws IllegalArgumentException that names the shape which is none, and says how one is written
     */
    static List<TuningShape> parseList(String list) {
        Set<TuningShape> shapes = new LinkedHashSet<>();
        for (String entry : list.split(",", -1)) {
            String text = entry.strip();
            shapes.add(
                    text.startsWith(ProjectionShape.PREFIX) ? ProjectionShape.parse(text) : AttentionShape.parse(text));
        }
        return List.copyOf(shapes);
    }

    /**
     * The class that it stands for.
     *
     * @param dtype how tensors are stored
     * @return whose entry tuning makes
     */
    ProblemClass problems(DType dtype);

    /**
     * The useful work of a call.
     *
     * @return multiplications and additions
     */
    double flops();
}
