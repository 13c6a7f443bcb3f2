package dev.attention4j.tuner;

import dev.attention4j.DType;
import dev.attention4j.opencl.tuning.ProblemClass;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What to tune for: an attention or a projection. Its text is as it was written. */
public sealed interface TuningShape permits AttentionShape, ProjectionShape {
    /** The classes that are met most, each by a shape that a CPU computes in a tenth of a second. */
    String USUAL = "1.8.8.1024.1024.64,1.8.8.1024.1024.64:causal,1.8.8.1024.1024.128,"
            + "1.8.8.1024.1024.128:causal,1.12.12.128.128.32,4.12.12.256.256.64,2.16.16.256.256.128,8.8.8.1.2048.64,"
            + "1.32.8.1.2048.128,gemm:2048.512.512";

    /**
     * Reads a comma-separated list.
     *
     * @param list shapes
     * @return each once, in the order of the list
     * @throws IllegalArgumentException that names the shape which is none, and says how one is written
     */
    static List<TuningShape> parseList(String list) {
        Set<String> texts = new LinkedHashSet<>();
        for (String text : list.split(",", -1)) {
            texts.add(text.strip());
        }
        List<TuningShape> shapes = new ArrayList<>();
        for (String text : texts) {
            shapes.add(
                    text.startsWith(ProjectionShape.PREFIX) ? ProjectionShape.parse(text) : AttentionShape.parse(text));
        }
        return shapes;
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
