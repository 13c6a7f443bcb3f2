package dev.attention4j.opencl.tuning;

import dev.attention4j.DType;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.plan.Variant;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;

/** Keeps entries on a thread that is interrupted before each, as a stopped program's is. */
final class TuningWriter {
    private TuningWriter() {}

    /**
     * The program.
     *
     * @param arguments the file, the writer's name and how many entries
     */
    public static void main(String[] arguments) throws IOException {
        UserTuning user = UserTuning.of(Tuning.in(Path.of(arguments[0])));
        for (int n = 0; n < Integer.parseInt(arguments[2]); n++) {
            Thread.currentThread().interrupt();
            user.put(new TuningEntry(
                    arguments[1] + " " + n,
                    "1.0",
                    LocalDate.parse("2026-11-02"),
                    "auto",
                    new ProblemClass(DType.FLOAT32, "33-64", "long", false),
                    Variant.parse("tiles:TILE=1"),
                    "1.8.8.1024.1024.64",
                    1.25,
                    1.1));
            if (!Thread.currentThread().isInterrupted()) {
                throw new IllegalStateException("the interrupt is lost");
            }
        }
        System.out.println("kept");
    }
}
