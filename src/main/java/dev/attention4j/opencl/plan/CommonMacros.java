package dev.attention4j.opencl.plan;

import dev.attention4j.DType;
import dev.attention4j.StorageTypes;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.opencl.runtime.ClDevice;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/** Values of the macros in {@code opencl/common/} that kernels of several plans are built with. */
public final class CommonMacros {
    private CommonMacros() {}

    /** Adds STORAGE, KEY_STORAGE, VALUE_STORAGE and PAGED of {@code storage.clh} and {@code key_rows.clh}. */
    public static void define(StorageTypes storage, boolean paged, Map<String, Object> defines) {
        defines.put("STORAGE", storage(storage.query()));
        defines.put("KEY_STORAGE", storage(storage.key()));
        defines.put("VALUE_STORAGE", storage(storage.value()));
        paged(paged, defines);
    }

    /**
     * Adds the macros of {@code score.clh} and {@code dropout.clh} for kernels with expressions.
     *
     * @param rowsOfHeads true if rows of several heads are computed together
     */
    public static void expressions(Expressions expressions, boolean rowsOfHeads, Map<String, Object> defines) {
        if (expressions.changeScores()) {
            defines.put("SCORE_EXPRESSION", 1);
        }
        if (expressions.mask()) {
            defines.put("MASK_EXPRESSION", 1);
        }
        dropout(expressions, defines);
        if (!expressions.isEmpty()) {
            expressions(rowsOfHeads, defines);
        }
    }

    /** Adds the macros of {@code dropout.clh} for kernels that compute no scores. */
    public static void dropout(Expressions expressions, Map<String, Object> defines) {
        if (expressions.dropout().isPresent()) {
            defines.put("DROPOUT", 1);
            expressions(false, defines);
        }
    }

    /** Adds the macros of {@code score.clh} for kernels with the mask expression alone. */
    public static void maskExpression(boolean rowsOfHeads, Map<String, Object> defines) {
        defines.put("MASK_EXPRESSION", 1);
        expressions(rowsOfHeads, defines);
    }

    private static void expressions(boolean rowsOfHeads, Map<String, Object> defines) {
        defines.put("EXPRESSIONS", 1);
        if (rowsOfHeads) {
            defines.put("ROWS_OF_HEADS", 1);
        }
    }

    /** Prints the functions of expressions for kernels whose vectors are query rows. */
    public static String expressionsOfRows(Expressions expressions, boolean rowsOfHeads, int width) {
        return expressions.openClText(width, vectorsOfRows(rowsOfHeads));
    }

    /** Returns the variables that differ from row to row. */
    public static Set<Variable> vectorsOfRows(boolean rowsOfHeads) {
        Set<Variable> vectors = EnumSet.of(Variable.SCORE, Variable.QUERY, Variable.POSITION);
        if (rowsOfHeads) {
            vectors.add(Variable.HEAD);
        }
        return vectors;
    }

    /** Adds PAGED of {@code key_rows.clh}. */
    public static void paged(boolean paged, Map<String, Object> defines) {
        if (paged) {
            defines.put("PAGED", 1);
        }
    }

    /**
     * STORAGE of {@code storage.clh}.
     *
     * @throws IllegalArgumentException if kernels do not read the type
     */
    public static int storage(DType dtype) {
        return switch (dtype) {
            case FLOAT32 -> 0;
            case FLOAT16 -> 1;
            case BFLOAT16 -> 2;
            case Q8_0 -> 3;
            case Q4_0 -> 4;
            default -> throw new IllegalArgumentException("dtype: " + dtype + ", must be one that kernels read");
        };
    }

    /** VECTOR_WIDTH of {@code vector.clh}: the registers of a CPU, and 16-byte loads on a GPU. */
    public static int vectorWidth(ClDevice device) {
        if (device.type() == ClDevice.Type.GPU) {
            return 4;
        }
        return device.nativeVectorWidth() >= 16 ? 16 : device.nativeVectorWidth() >= 8 ? 8 : 4;
    }
}
