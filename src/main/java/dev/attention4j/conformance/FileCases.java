package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.UnsupportedPlanException;
import dev.attention4j.conformance.ConformanceCase.Check;
import dev.attention4j.conformance.Operation.Call;
import dev.attention4j.conformance.Operation.Computed;
import dev.attention4j.conformance.Operation.Expected;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.reference.Deviation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Cases from files: makes the calls of each and compares every output with the file's. */
public final class FileCases {
    /** All operations that this version knows, by the {@code op} in the files' metadata. */
    static final Map<String, Operation> OPERATIONS = Map.of(
            AttentionCase.OP,
            AttentionCase::calls,
            OnnxAttentionCase.OP,
            OnnxAttentionCase::calls,
            OnnxCacheOperators.ROTARY_EMBEDDING,
            OnnxCacheOperators::rotaryEmbedding,
            OnnxCacheOperators.TENSOR_SCATTER,
            OnnxCacheOperators::tensorScatter,
            OnnxCacheOperators.GROUP_QUERY_ATTENTION,
            OnnxCacheOperators::groupQueryAttention,
            KerasOperation.MULTI_HEAD,
            KerasOperation.multiHeadAttention(),
            KerasOperation.GROUP_QUERY,
            KerasOperation.groupQueryAttention());

    private static final String EXTENSION = ".safetensors";

    private FileCases() {}

    /**
     * The case files of a folder; sorted by path, at least one; none has been read yet.
     *
     * @param folder is searched with all folders in it for {@code *.safetensors}; a single file is taken as it is
     * @throws FileFormatException if there is none
     * @throws IOException if the folder is not there or cannot be searched
     */
    public static List<ConformanceCase> find(Path folder) throws IOException {
        Path start = folder.toRealPath();
        if (Files.isRegularFile(start)) {
            return List.of(of(folder));
        }
        List<ConformanceCase> found;
        try (Stream<Path> files = Files.walk(start)) {
            found = files.filter(file -> file.getFileName().toString().endsWith(EXTENSION) && Files.isRegularFile(file))
                    .sorted()
                    .map(file -> of(folder.resolve(start.relativize(file))))
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        if (found.isEmpty()) {
            throw new FileFormatException(
                    folder.toString(), "holds no file *" + EXTENSION + ", must hold at least one");
        }
        return found;
    }

    private static ConformanceCase of(Path file) {
        return new ConformanceCase(file.toString(), 0, 0, DType.FLOAT32, () -> check(CaseFile.read(file)));
    }

    /**
     * The check of a file of any op: an op that this version does not know is skipped, and metadata or tensors that are not
     * what they must be are a failure.
     */
    public static Check check(CaseFile file) {
        return new FileCheck(file);
    }

    private record FileCheck(CaseFile file) implements Check {
        @Override
        public Optional<String> name() {
            return Optional.of(FileFormatException.printable(file.name()));
        }

        @Override
        public Finding on(AttentionEngine engine) {
            Finding finding = new Finding();
            Operation operation = OPERATIONS.get(file.op());
            if (operation == null) {
                return finding.unchecked(
                        "op " + FileFormatException.printable(file.op()) + " is not known to this version");
            }
            try {
                operation.calls(file).forEach(call -> check(call, engine, finding));
            } catch (FileFormatException | RuntimeException e) {
                finding.wrong(Outcome.describe(e));
            }
            return finding;
        }

        /** A call that the plan refuses does not keep the others from being checked. */
        private static void check(Call call, AttentionEngine engine, Finding finding) {
            try (Computed computed = call.run().on(engine)) {
                if (!computed.plan().isEmpty()) {
                    finding.by(computed.plan());
                }
                call.expected()
                        .forEach((name, expected) ->
                                compare(name, computed.outputs().get(name), expected, finding));
            } catch (UnsupportedPlanException e) {
                finding.refused(call.what() + " not checked: " + e.getMessage());
            } catch (RuntimeException e) {
                finding.wrong(Outcome.describe(e));
            }
        }
    }

    private static void compare(String output, Tensor got, Expected expected, Finding finding) {
        Tensor want = expected.want();
        if (got.dtype() != expected.dtype()) {
            finding.wrong(output + ": got type " + got.dtype() + ", want " + expected.dtype());
            return;
        }
        if (!Arrays.equals(got.shape(), want.shape())) {
            finding.wrong(
                    output + ": got shape " + Arrays.toString(got.shape()) + ", want " + Arrays.toString(want.shape()));
            return;
        }
        Tolerance tolerance = expected.tolerance();
        double[] gotElements = got.toDoubleArray();
        double[] wantElements = want.toDoubleArray();
        double largest = 0;
        int wrong = 0;
        int worst = -1;
        double worstExcess = -1;
        for (int n = 0; n < gotElements.length; n++) {
            double error = error(gotElements[n], wantElements[n]);
            largest = Math.max(largest, error);
            if (tolerance.allows(gotElements[n], wantElements[n])) {
                continue;
            }
            wrong++;
            double excess = error / tolerance.limit(Double.isFinite(wantElements[n]) ? wantElements[n] : 0);
            if (excess > worstExcess) {
                worstExcess = excess;
                worst = n;
            }
        }
        finding.measured(largest, Double.NaN);
        if (wrong > 0) {
            finding.wrong(String.format(
                    Locale.ROOT,
                    "%s: %d of %d elements wrong, worst at %s: got %s, want %s (allowed: %s + %s * |want|)",
                    output,
                    wrong,
                    gotElements.length,
                    Arrays.toString(Deviation.index(worst, got.shape())),
                    shown(gotElements[worst], got),
                    shown(wantElements[worst], want),
                    tolerance.absolute(),
                    tolerance.relative()));
        }
    }

    private static double error(double got, double want) {
        if (Double.isFinite(got) && Double.isFinite(want)) {
            return Math.abs(got - want);
        }
        return Double.compare(got, want) == 0 ? 0 : Double.POSITIVE_INFINITY;
    }

    private static String shown(double element, Tensor tensor) {
        return tensor.dtype().bytes() == Double.BYTES ? Double.toString(element) : Float.toString((float) element);
    }
}
