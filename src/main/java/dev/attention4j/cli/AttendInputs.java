package dev.attention4j.cli;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import dev.attention4j.io.Safetensors;
import dev.attention4j.io.SafetensorsFile;
import dev.attention4j.opencl.tuning.StorageName;
import dev.attention4j.reference.Deviation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The tensors of a file that {@code attend} computes with. Nothing else of the file is read: its other tensors may be
 * of any type and size.
 *
 * @param tensors those that the file has, in the order of {@link #NAMES}
 * @param unused a sentence about tensors with other names; empty if there are none
 */
record AttendInputs(Map<String, Tensor> tensors, Optional<String> unused) {
    private static final List<String> NAMES = List.of("query", "key", "value", "mask", "bias", "query_mask");
    private static final int NEEDED = 3;

    /**
     * Reads a file.
     *
     * @param tables the names of tensors that it must have for expressions
     */
    static AttendInputs read(Path in, Collection<String> tables) throws IOException {
        SafetensorsFile file = Safetensors.read(in, name -> NAMES.contains(name) || tables.contains(name));
        List<String> others = file.names().stream()
                .filter(name -> !NAMES.contains(name) && !tables.contains(name))
                .toList();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (String name : NAMES) {
            if (NAMES.indexOf(name) < NEEDED && file.find(name).isEmpty()) {
                throw new FileFormatException(
                        in.toString(),
                        "has no tensor \"" + name + "\"; it holds " + FileFormatException.listed(file.names())
                                + Suggestion.question(name, others));
            }
            if (file.find(name).isPresent()) {
                Tensor tensor = file.tensor(name);
                tensors.put(name, name.endsWith("mask") ? mask(name, tensor, in) : tensor);
            }
        }
        for (String name : tables) {
            if (file.find(name).isEmpty()) {
                throw new FileFormatException(
                        in.toString(),
                        "has no tensor \"" + Text.printable(name) + "\" for --table; it holds "
                                + FileFormatException.listed(file.names()) + Suggestion.question(name, others));
            }
            tensors.putIfAbsent(name, file.tensor(name));
        }
        return new AttendInputs(tensors, unused(in, others, tensors));
    }

    /** A misspelt mask that is left out without a word would be a wrong result. */
    private static Optional<String> unused(Path in, List<String> others, Map<String, Tensor> tensors) {
        if (others.isEmpty()) {
            return Optional.empty();
        }
        List<String> absent =
                NAMES.stream().filter(name -> !tensors.containsKey(name)).toList();
        String meant = others.stream()
                .map(name -> Suggestion.question(name, absent))
                .filter(question -> !question.isEmpty())
                .findFirst()
                .orElse("");
        boolean one = others.size() == 1;
        return Optional.of(in + ": the " + (one ? "tensor " : "tensors ") + FileFormatException.listed(others)
                + (one ? " is" : " are") + " not used; used are " + String.join(", ", NAMES) + meant);
    }

    /** A mask as BOOL. Many exporters have no such type and write 0 and 1. */
    private static Tensor mask(String name, Tensor mask, Path in) throws FileFormatException {
        if (mask.dtype() == DType.BOOL) {
            return mask;
        }
        if (mask.dtype().isFloat()) {
            throw new FileFormatException(
                    in.toString(),
                    "the tensor \"" + name + "\" is " + StorageName.of(mask.dtype())
                            + ", must be bool, or whole numbers 0 and 1; what is to be added to the scores is called"
                            + " \"bias\"");
        }
        Tensor bools = Tensor.zeros(DType.BOOL, mask.shape());
        ByteBuffer from = mask.bytes();
        ByteBuffer to = bools.bytes();
        for (int n = 0; n < to.limit(); n++) {
            long element = element(from, mask.dtype(), n);
            if (element != 0 && element != 1) {
                throw new FileFormatException(
                        in.toString(),
                        "the tensor \"" + name + "\" (" + StorageName.of(mask.dtype()) + ") holds " + element + " at "
                                + Arrays.toString(Deviation.index(n, mask.shape()))
                                + ", must hold nothing but 0 (masked) and 1 (attend)");
            }
            to.put(n, (byte) element);
        }
        return bools;
    }

    private static long element(ByteBuffer bytes, DType dtype, int n) {
        return switch (dtype.bytes()) {
            case Long.BYTES -> bytes.getLong(n * Long.BYTES);
            case Integer.BYTES -> bytes.getInt(n * Integer.BYTES);
            case Short.BYTES -> bytes.getShort(n * Short.BYTES);
            default -> dtype == DType.UINT8 ? bytes.get(n) & 0xFF : bytes.get(n);
        };
    }

    Tensor tensor(String name) {
        return tensors.get(name);
    }

    Optional<Tensor> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }
}
